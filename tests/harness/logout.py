"""Logout tokens of the fake OpenID Connect provider, and the request that brings one."""

from __future__ import annotations

import secrets
import time
from typing import Any
from urllib.parse import urlencode

from django.test import Client as Http

from tests.fakes.oauth2 import CLIENT_ID
from tests.fakes.oidc import FakeOidc

EVENT = "http://schemas.openid.net/event/backchannel-logout"
FORM = "application/x-www-form-urlencoded"


def claims(idp: FakeOidc, **changes: Any) -> dict[str, Any]:
    """A good token's claims (Back-Channel Logout 1.0 section 2.4) with these changes; None takes one away."""
    now = int(time.time())
    good = {
        "iss": idp.issuer,
        "aud": CLIENT_ID,
        "iat": now,
        "exp": now + 120,
        "jti": secrets.token_urlsafe(12),
        "sub": idp.person["sub"],
        "events": {EVENT: {}},
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(idp: FakeOidc, typ: str | None = "logout+jwt", **changes: Any) -> str:
    idp.header = {"typ": typ}
    return idp.signed(claims(idp, **changes))


def send(token: str, upstream: str = "idp", **extra: Any) -> Any:
    """As a provider sends it (section 2.5)."""
    http = Http(raise_request_exception=False)
    return http.post(f"/oauth/backchannel-logout/{upstream}", urlencode({"logout_token": token}), FORM, **extra)
