"""Make an access token: `mint.access_token(...)`."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from authserver.claims import AccessClaims
from authserver.conf import load
from authserver.keys import signer

ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068 section 2.1, a header value


def access_token(
    *, subject: UUID, audience: str, client_id: str, scope: str, tsid: str, lifetime_seconds: int, now: datetime
) -> str:
    """A signed `at+jwt` for one resource, naming the token session behind it."""
    claims = AccessClaims(
        subject=subject,
        audience=audience,
        client_id=client_id,
        scope=scope,
        tsid=tsid,
        jti=secrets.token_urlsafe(18),
        issued_at=now,
        expires_at=now + timedelta(seconds=lifetime_seconds),
    )
    return signer().sign(claims.as_json(load().issuer), ACCESS_TOKEN_TYPE)
