"""A session with several upstreams, the resource server it belongs to, and how that one calls."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client as Http
from django.utils import timezone

from accounts.vault import vault
from accounts.vault.base import Approved, TokenSet
from authserver.models import ResourceUpstream
from tests.harness.approval import (
    RESOURCE_SERVER_SECRET,
    Approval,
    approve,
    make_provider,
    make_resource,
    make_resource_server,
)
from upstream.models import Provider

FORM = "application/x-www-form-urlencoded"


def basic(client_id: str = "rs-a", secret: str = RESOURCE_SERVER_SECRET) -> dict[str, str]:
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def canary(provider: str) -> str:
    return f"CANARY-token-at-{provider}"


@dataclass
class Held:
    """One approval whose session has a token at each of `connected`; its resource names those and `unconnected`."""

    approval: Approval
    http: Http = field(default_factory=lambda: Http(raise_request_exception=True))

    @property
    def tsid(self) -> str:
        return self.approval.tsid

    def path(self, upstream: str = "", tsid: str | None = None) -> str:
        base = f"/api/v1/sessions/{tsid or self.tsid}/upstream-tokens"
        return f"{base}/{upstream}" if upstream else base

    def get(self, upstream: str = "", *, tsid: str | None = None, headers: Any = None, **query: str) -> Any:
        address = self.path(upstream, tsid)
        headers = basic() if headers is None else headers
        return self.http.get(f"{address}?{urlencode(query)}" if query else address, headers=headers)

    def post(self, upstream: str = "", **form: str) -> Any:
        return self.http.post(self.path(upstream), urlencode(form), content_type=FORM)

    def access_token(self, **form: str) -> Any:
        given = {
            "grant_type": "client_credentials",
            "client_id": "rs-a",
            "client_secret": RESOURCE_SERVER_SECRET,
            **form,
        }
        return self.http.post("/api/v1/token", urlencode({k: v for k, v in given.items() if v}), content_type=FORM)

    def connect(self, name: str, *, scopes: tuple[str, ...] = ("read",), **tokens: Any) -> Provider:
        """One more upstream of the resource, with a credential linked to the session."""
        provider = self.name_upstream(name, scopes=scopes)
        values = {"access_token": canary(name), "refresh_token": f"refresh-{name}", "scopes": scopes,
                  "expires_at": timezone.now() + timedelta(hours=1), **tokens}  # fmt: skip
        now = timezone.now()
        kept = vault().credentials.keep(self.approval.user.pk, name, f"me at {name}", TokenSet(**values), now=now)
        assert vault().sessions.link(self.tsid, Approved(kept.id, name, scopes), now=now)
        return provider

    def name_upstream(self, name: str, *, scopes: tuple[str, ...] = ("read",)) -> Provider:
        """One more upstream of the resource, connected to nothing."""
        provider = make_provider(name, type="oauth2")
        ResourceUpstream.objects.create(
            resource=self.approval.resource, provider=provider, scopes=list(scopes), required=False,
            position=self.approval.resource.upstreams.count(),
        )  # fmt: skip
        return provider


@pytest.fixture
def held() -> Held:
    resource = make_resource()
    made = Held(approve(resource=resource))
    make_resource_server(resource)
    return made
