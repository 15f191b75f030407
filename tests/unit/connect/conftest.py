"""A session whose resource names an upstream to sign in with, one that is connected, and one that is not yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.conf import settings
from django.test import Client as Http
from django.utils import timezone

from accounts.models import Credential, TokenSession
from accounts.vault import vault
from authserver.models import Client
from tests.fakes.oauth2 import FakeOAuth2
from tests.harness.approval import REDIRECT_URI, RESOURCE_SERVER_SECRET, make_client, make_resource_server, post
from tests.unit.authorize.sitting import FORM, Sitting, new_sitting, upstream
from upstream import discovery

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


@dataclass
class Scene:
    """`code` signs people in, `mail` is needed, `notes` is optional and was left out. The client holds its tokens."""

    code: FakeOAuth2
    mail: FakeOAuth2
    notes: FakeOAuth2
    sitting: Sitting = field(default_factory=lambda: new_sitting(client=_client()))
    tokens: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        resource = self.sitting.resource
        upstream(resource, self.code, "code", "repo", sign_in=True)
        upstream(resource, self.mail, "mail", "inbox")
        upstream(resource, self.notes, "notes", "read", required=False)
        make_resource_server(resource)
        answer = self.sitting.whole("notes")
        redeemed = post({"grant_type": "authorization_code", "client_id": "app", "code": answer["code"],
                         "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER})  # fmt: skip
        assert redeemed.status_code == 200, redeemed.content
        self.tokens = redeemed.json()
        self.sitting.visited.clear()

    @property
    def http(self) -> Http:
        return self.sitting.http

    def exchange(self, upstream: str, **form: str) -> Any:
        return post({
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": self.tokens["access_token"],
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "client_id": "rs-a", "client_secret": RESOURCE_SERVER_SECRET, "audience": upstream, **form,
        })  # fmt: skip

    def link(self, upstream: str, **form: str) -> str:
        """The path of the `connect_url` that the exchange answers."""
        answer = self.exchange(upstream, **form)
        assert answer.status_code == 400, answer.content
        url: str = answer.json()["connect_url"]
        assert url.startswith(f"{settings.ISSUER}/oauth/connect/")
        return urlsplit(url).path

    def press(self, path: str, http: Http | None = None, **fields: str) -> Any:
        """Open the page and press its button."""
        http = http or self.http
        page = http.get(path)
        assert page.status_code == 200, page.content
        return http.post(path, urlencode(fields), content_type=FORM)

    def connect(self, path: str, http: Http | None = None, **fields: str) -> Any:
        """The whole way; the page at its end."""
        sitting = Sitting(self.sitting.client, self.sitting.resource, http or self.http, self.sitting.visited)
        return sitting.go_on(self.press(path, http, **fields))

    def bury(self, name: str) -> None:
        credential = Credential.objects.get(provider=name)
        vault().credentials.mark_dead(
            credential.id, version_seen=credential.version, reason="refused_by_provider", now=timezone.now()
        )

    @property
    def session(self) -> TokenSession:
        return TokenSession.objects.get()


def _client() -> Client:
    return make_client("app", name="Claude", registration_source=Client.RegistrationSource.MANUAL)


def heading(answer: Any) -> str:
    """A page's first words."""
    found = re.search(r"<h1>(.*?)</h1>", answer.content.decode(), re.DOTALL)
    assert found, answer.content.decode()
    return unescape(re.sub(r"<[^>]+>", "", found[1]))


@pytest.fixture
def scene(db: None) -> Iterator[Scene]:
    discovery.forget()
    with FakeOAuth2() as code, FakeOAuth2() as mail, FakeOAuth2() as notes:
        yield Scene(code, mail, notes)
    discovery.forget()
