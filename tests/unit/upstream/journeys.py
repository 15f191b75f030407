"""A person at a browser: begins a visit, goes to the provider, comes back to our callback."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.browser import cookie_name
from accounts.models import User
from accounts.vault import vault
from tests.fakes.oauth2 import CLIENT_ID, CLIENT_SECRET, FakeOAuth2
from tests.fakes.oidc import FakeEntra, FakeOidc
from upstream import http, visits
from upstream.models import Provider, Visit
from upstream.providers import set_client_secret

RETURN_PATH = "/authorize/continue?with=this"


def provider_at(fake: FakeOAuth2, type_: str, name: str = "fake", **fields: Any) -> Provider:
    """A row for a fake: by its issuer where the type has discovery, else by its endpoints."""
    if isinstance(fake, FakeEntra):
        fields.setdefault("issuer", fake.configured_issuer)
    elif isinstance(fake, FakeOidc):
        fields.setdefault("issuer", fake.issuer)
    else:
        fields.setdefault("authorization_endpoint", fake.url + fake.authorize_path)
        fields.setdefault("token_endpoint", fake.url + fake.token_path)
        fields.setdefault("userinfo_endpoint", fake.url + fake.userinfo_path)
    provider = Provider(name=name, type=type_, client_id=CLIENT_ID, allow_private_network=True, **fields)
    set_client_secret(provider, CLIENT_SECRET, "value")
    provider.save()
    return provider


@dataclass
class Person:
    """One browser. `client` is Django's, and speaks to our callback as a browser would."""

    client: Client = field(default_factory=lambda: Client(raise_request_exception=True))
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def __post_init__(self) -> None:
        self.client.cookies[cookie_name()] = self.secret

    @property
    def browser_hash(self) -> str:
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def begin(
        self,
        provider: Provider,
        purpose: Visit.Purpose = Visit.Purpose.SIGN_IN,
        scopes: tuple[str, ...] = (),
        **more: Any,
    ) -> str:
        """The URL at the provider."""
        more.setdefault("now", timezone.now())
        return visits.begin(
            provider=provider,
            purpose=purpose,
            scopes=scopes,
            browser_hash=self.browser_hash,
            return_path=RETURN_PATH,
            request=RequestFactory().get("/"),
            **more,
        )

    def at_provider(self, url: str) -> str:
        """Where the provider sends the browser back to."""
        answer = http.request("GET", url, allow_private_network=True)
        assert answer.status == 302, answer
        return answer.headers["Location"]

    def come_back(self, url: str) -> HttpResponse:
        """Follow the provider's redirect to our callback."""
        parts = urlsplit(url)
        return self.client.get(f"{parts.path}?{parts.query}")  # type: ignore[return-value]  # Django's stubs say more

    def sign_in(self, provider: Provider, scopes: tuple[str, ...] = (), **more: Any) -> Visit:
        """The whole way; answers the visit as it ended."""
        response = self.come_back(self.at_provider(self.begin(provider, scopes=scopes, **more)))
        return ended(response)

    def connect(self, provider: Provider, scopes: tuple[str, ...] = (), **more: Any) -> Visit:
        user = self.user
        assert user is not None
        url = self.begin(provider, Visit.Purpose.CONNECT, scopes, user_id=user.id, **more)
        return ended(self.come_back(self.at_provider(url)))

    @property
    def user(self) -> User | None:
        """Who is signed in here."""
        user_id = self.client.session.get("_auth_user_id")
        return User.objects.get(pk=user_id) if user_id else None


def ended(response: HttpResponse) -> Visit:
    """The visit that a callback's redirect names."""
    assert response.status_code == 302, response.content
    assert response["Location"].startswith(RETURN_PATH + "&visit=")
    assert "no-store" in response["Cache-Control"]
    return Visit.objects.get(pk=response["Location"].rpartition("=")[2])


def query_of(url: str) -> dict[str, str]:
    """A URL's parameters, each of which may stand there once."""
    found = parse_qs(urlsplit(url).query, keep_blank_values=True)
    assert all(len(values) == 1 for values in found.values())
    return {name: values[0] for name, values in found.items()}


def credential_of(person: Person, provider: str = "fake") -> tuple[str, tuple[str, ...], bool]:
    """Subject, scopes and refreshability of the one credential."""
    assert person.user is not None
    (held,) = vault().credentials.of_user(person.user.id, provider)
    return held.subject, held.scopes, held.refreshable
