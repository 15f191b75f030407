"""What an approval leaves behind, made without a browser: a client, a person, a resource, an open session, a code."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.test import Client as Http
from django.utils import timezone

from accounts.models import User
from accounts.vault import vault
from accounts.vault.base import Approved, NewSession, TokenSet
from authserver import codes
from authserver.models import App, Client, Resource, ResourceServer, ResourceUpstream
from authserver.resources import canonical
from upstream.models import Provider

REDIRECT_URI = "http://127.0.0.1:7777/callback"
RESOURCE_SERVER_SECRET = "a-resource-server-secret-of-enough-length"


@dataclass(frozen=True)
class Approval:
    """One approval up to its code, and how to redeem it."""

    client: Client
    user: User
    resource: Resource
    tsid: str
    code: str
    verifier: str = field(repr=False)

    @property
    def form(self) -> dict[str, str]:
        """The token request that redeems the code."""
        return {
            "grant_type": "authorization_code",
            "code": self.code,
            "redirect_uri": REDIRECT_URI,
            "client_id": self.client.client_id,
            "code_verifier": self.verifier,
        }

    def refresh_form(self, refresh_token: str, **extra: str) -> dict[str, str]:
        return {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": self.client.client_id,
            **extra,
        }

    def redeem(self) -> dict[str, Any]:
        """The tokens for the code."""
        answer = post(self.form)
        assert answer.status_code == 200, answer.content
        return answer.json()  # type: ignore[no-any-return]


def post(form: dict[str, str] | str, **headers: str) -> Any:
    """POST a form to the token endpoint; a string goes as it is."""
    body = form if isinstance(form, str) else None
    http = Http()
    if body is not None:
        return http.post("/oauth/token", data=body, content_type="application/x-www-form-urlencoded", headers=headers)
    from urllib.parse import urlencode

    return http.post(
        "/oauth/token",
        data=urlencode(form),  # type: ignore[arg-type]
        content_type="application/x-www-form-urlencoded",
        headers=headers,
    )


def make_client(client_id: str = "", **fields: Any) -> Client:
    """A public client with one loopback callback."""
    defaults: dict[str, Any] = {
        "name": "A client",
        "client_type": Client.CLIENT_PUBLIC,
        "authorization_grant_type": Client.GRANT_AUTHORIZATION_CODE,
        "redirect_uris": REDIRECT_URI,
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    }
    client: Client = Client.objects.create(client_id=client_id or secrets.token_hex(8), **{**defaults, **fields})
    return client


def register_themselves() -> None:
    """Make every client there is one that registered itself."""
    for client in Client.objects.all():
        client.registration_source = Client.RegistrationSource.DCR
        client.app = App.of(client.identity)
        client.save()


def make_resource(identifier: str = "https://mcp.example.com/mcp", **fields: Any) -> Resource:
    defaults: dict[str, Any] = {"name": "Example MCP server", "scopes": {"mcp:tools": "use its tools", "mcp:admin": ""}}
    return Resource.objects.create(identifier=identifier, canonical=canonical(identifier), **{**defaults, **fields})


def make_user(**fields: Any) -> User:
    return User.objects.create(username=secrets.token_hex(8), **fields)


def make_provider(name: str = "github", **fields: Any) -> Provider:
    return Provider.objects.create(name=name, **{"type": "github", "client_id": "us", "scopes": [], **fields})


def make_resource_server(resource: Resource, client_id: str = "rs-a") -> ResourceServer:
    from django.contrib.auth.hashers import make_password

    server = ResourceServer.objects.create(
        client_id=client_id, client_secret=make_password(RESOURCE_SERVER_SECRET, hasher="random_secret_sha256")
    )
    server.resources.add(resource)
    return server


def approve(
    *,
    client: Client | None = None,
    user: User | None = None,
    resource: Resource | None = None,
    scopes: tuple[str, ...] = ("mcp:tools", "mcp:admin"),
    provider: Provider | None = None,
    tokens: TokenSet | None = None,
    upstream_scopes: tuple[str, ...] = ("repo",),
    nonce: str = "",
    auth_time: datetime | None = None,
    now: datetime | None = None,
) -> Approval:
    """An approval, as the authorization endpoint leaves it. With a provider, its credential is linked."""
    now = now or timezone.now()
    client = client or make_client()
    user = user or make_user()
    resource = resource or make_resource()
    approved: tuple[Approved, ...] = ()
    if provider is not None:
        ResourceUpstream.objects.get_or_create(
            resource=resource, provider=provider, defaults={"scopes": list(upstream_scopes)}
        )
        kept = vault().credentials.keep(
            user.pk,
            provider.name,
            "upstream-subject",
            tokens or TokenSet(access_token="upstream-access-token", scopes=upstream_scopes),
            now=now,
        )
        approved = (Approved(kept.id, provider.name, upstream_scopes),)
    tsid = vault().sessions.open(
        NewSession(
            user_id=user.pk,
            client_id=client.client_id,
            redirect_host="127.0.0.1",
            resource=resource.identifier,
            scopes=scopes,
            idle_expires_at=now + timedelta(seconds=120),
            expires_at=now + timedelta(days=90),
            approved=approved,
        ),
        now=now,
    )
    verifier = secrets.token_urlsafe(48)
    code = codes.issue(
        client=client,
        user=user,
        resource=resource,
        tsid=tsid,
        redirect_uri=REDIRECT_URI,
        scopes=scopes,
        code_challenge=challenge(verifier),
        nonce=nonce,
        auth_time=auth_time or now,
        lifetime_seconds=60,
        now=now,
    )
    return Approval(client, user, resource, tsid, code, verifier)


def challenge(verifier: str) -> str:
    """S256 (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
