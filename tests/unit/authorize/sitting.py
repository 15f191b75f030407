"""One person at one browser, from the client's request to its answer, over fake providers that really answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.test import Client as Http

from accounts.models import Link, TokenSession, User
from authserver.models import Client, Resource, ResourceUpstream
from tests.fakes.oauth2 import FakeOAuth2
from tests.harness.approval import REDIRECT_URI, make_client, make_resource
from tests.unit.authorize.answers import CHALLENGE, sent_to, ticket_of
from tests.unit.upstream.journeys import provider_at
from upstream import http
from upstream.models import Provider

FORM = "application/x-www-form-urlencoded"
STEPS = 20


@dataclass
class Sitting:
    """`visited` are the providers that the browser was sent to, in order, each with the scopes asked for."""

    client: Client
    resource: Resource
    http: Http = field(default_factory=Http)
    visited: list[tuple[str, set[str]]] = field(default_factory=list)

    def begin(self, **changed: str) -> Any:
        """The client's request; the consent page, unless it is remembered."""
        query = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": REDIRECT_URI,
            "state": "opaque",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "resource": self.resource.identifier,
            **changed,
        }
        return self.http.get(f"/oauth/authorize?{urlencode(query)}")

    def approve(self, page: Any, *without: str, provider: str = "") -> Any:
        """Press Allow, with every checkbox ticked but those of `without`."""
        offered = re.findall(r'type="checkbox" name="(connect\.[a-z0-9-]+)"', page.content.decode())
        ticked = {name: "1" for name in offered if name.removeprefix("connect.") not in without}
        form = {
            "ticket": ticket_of(page),
            "decision": "approve",
            **ticked,
            **({"provider": provider} if provider else {}),
        }
        return self.http.post("/oauth/authorize", urlencode(form), content_type=FORM)

    def choose(self, page: Any, button: str) -> Any:
        """Press a button of a page about an upstream that stood in the way."""
        text = page.content.decode()
        action = re.search(r'action="([^"]*/continue/[^"]+)"', text)
        found = re.search(rf'name="{button}" value="([^"]+)"', text)
        assert action, text
        assert found, text
        return self.http.post(unescape(action[1]), urlencode({button: found[1]}), content_type=FORM)

    def go_on(self, answer: Any) -> Any:
        """Through every provider, until the client has its answer or a page stops the person."""
        for _ in range(STEPS):
            if answer.status_code == 200 and "http-equiv" not in answer.content.decode():
                return answer
            if answer.status_code not in {200, 302, 303}:
                return answer
            address, query = sent_to(answer)
            if address == REDIRECT_URI:
                return query
            answer = self.step(answer)
        raise AssertionError("it never ends")

    def step(self, answer: Any) -> Any:
        """To where an answer sends the browser: a page of ours, or a provider and back to our callback."""
        address, query = sent_to(answer)
        if urlsplit(address).netloc in {"", "localhost:8000", "testserver"}:
            return self.http.get(f"{urlsplit(address).path}?{urlencode(query)}")
        provider = Provider.objects.filter(authorization_endpoint=address).first()
        self.visited.append((provider.name if provider else address, set(query["scope"].split())))
        there = http.request("GET", f"{address}?{urlencode(query)}", allow_private_network=True)
        assert there.status == 302, there
        back = urlsplit(there.headers["Location"])
        return self.http.get(f"{back.path}?{back.query}")

    def whole(self, *without: str, provider: str = "", **changed: str) -> Any:
        """From the request to the end, approving whatever page comes first."""
        page = self.begin(**changed)
        if page.status_code == 200 and "ticket" in page.content.decode():
            page = self.approve(page, *without, provider=provider)
        return self.go_on(page)

    @property
    def order(self) -> list[str]:
        return [name for name, _ in self.visited]

    @property
    def person(self) -> User:
        return User.objects.get(pk=self.http.session["_auth_user_id"])


def upstream(
    resource: Resource, fake: FakeOAuth2, name: str, *scopes: str, required: bool = True, **fields: Any
) -> ResourceUpstream:
    """One more upstream of the resource, at this fake."""
    fields.setdefault("sign_in", False)
    provider = provider_at(fake, Provider.Type.OAUTH2, name, scopes=["who"], **fields)
    return ResourceUpstream.objects.create(
        resource=resource,
        provider=provider,
        scopes=list(scopes),
        required=required,
        position=resource.upstreams.count(),
    )


def new_sitting(resource: Resource | None = None, client: Client | None = None) -> Sitting:
    resource = resource or make_resource(default=True)
    return Sitting(client or make_client("app", registration_source=Client.RegistrationSource.MANUAL), resource)


def links() -> dict[str, set[str]]:
    """What the one open session may use, and within which scopes."""
    session = TokenSession.objects.get(closed_at=None)
    return {link.provider: set(link.scope.split()) for link in Link.objects.filter(session=session)}
