"""An authorization endpoint with one resource, one provider and the means to walk up to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client as Http

from accounts.models import User
from accounts.vault import vault
from accounts.vault.base import TokenSet
from authserver.models import Client, Resource, ResourceUpstream
from tests.fakes.oauth2 import FakeOAuth2
from tests.harness.approval import REDIRECT_URI, make_client, make_provider, make_resource, make_user
from tests.unit.authorize.answers import CHALLENGE, ticket_of
from tests.unit.authorize.town import Town
from upstream import discovery
from upstream.models import Provider


@dataclass
class Door:
    """`/oauth/authorize`, with everything a good request needs; `ask` changes one thing at a time."""

    client: Client
    resource: Resource
    provider: Provider
    http: Http = field(default_factory=Http)

    def parameters(self, **changed: Any) -> dict[str, str]:
        good = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": REDIRECT_URI,
            "state": "st&te /+é",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "resource": self.resource.identifier,
        }
        return {name: value for name, value in {**good, **changed}.items() if value is not None}

    def ask(self, **changed: Any) -> Any:
        return self.http.get(f"/oauth/authorize?{urlencode(self.parameters(**changed))}")

    def raw(self, query: str) -> Any:
        return self.http.get(f"/oauth/authorize?{query}")

    def answer(self, page: Any, decision: str = "approve", **fields: str) -> Any:
        """Press a button on the consent page."""
        form = {"ticket": ticket_of(page), "decision": decision, **fields}
        return self.http.post(
            "/oauth/authorize", data=urlencode(form), content_type="application/x-www-form-urlencoded"
        )

    def sign_in(self, user: User | None = None, scopes: tuple[str, ...] = ("repo",)) -> User:
        """A person who came back from the provider, with a credential there."""
        from django.utils import timezone

        user = user or make_user(name="Ada Lovelace")
        self.http.force_login(user)
        session = self.http.session
        session["signed_in_with"] = self.provider.name
        session["auth_time"] = int(timezone.now().timestamp())
        session.save()
        vault().credentials.keep(
            user.pk, self.provider.name, "subject", TokenSet(access_token="a", scopes=scopes), now=timezone.now()
        )
        return user


@pytest.fixture
def door(db: None) -> Door:
    provider = make_provider()
    resource = make_resource(default=True)
    ResourceUpstream.objects.create(resource=resource, provider=provider, scopes=["repo"])
    return Door(make_client("known", registration_source=Client.RegistrationSource.MANUAL), resource, provider)


@pytest.fixture
def town() -> Iterator[Town]:
    discovery.forget()
    with FakeOAuth2() as code, FakeOAuth2() as mail, FakeOAuth2() as notes:
        yield Town(code, mail, notes)
    discovery.forget()
