"""What our JWTs say: access tokens (RFC 9068, and `tsid`), and what ID tokens and UserInfo tell of the person."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

PERSONAL = {"name": "profile", "email": "email"}
"""What we tell of a person, and the scope that has to be approved for it (OpenID Connect Core section 5.4)."""


def about(*, name: str, email: str, scopes: Collection[str], only: Collection[str] = tuple(PERSONAL)) -> dict[str, Any]:
    """The claims that `scopes` allow, of those in `only`; what is not known is left out (OpenID Connect Core s5.3.2).

    `email` is a person's own column, which holds no address but one that a provider vouched for: so `email_verified` is
    true wherever it stands at all (s5.1).
    """
    allowed = {claim for claim, scope in PERSONAL.items() if claim in only and scope in scopes}
    told: dict[str, Any] = {}
    if name and "name" in allowed:
        told["name"] = name
    if email and "email" in allowed:
        told |= {"email": email, "email_verified": True}
    return told


@dataclass(frozen=True)
class AccessClaims:
    """The claims of one access token, checked (`verify`) or about to be signed (`mint`). `scope` is space-separated.

    `about` is what a resource asked to be told of the person; whoever verifies a token of ours has no use for it.
    """

    subject: UUID
    audience: str
    client_id: str
    scope: str
    tsid: str
    jti: str
    issued_at: datetime
    expires_at: datetime
    about: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def as_json(self, issuer: str) -> dict[str, Any]:
        return {
            **self.about,
            "iss": issuer,
            "sub": str(self.subject),
            "aud": self.audience,
            "client_id": self.client_id,
            "scope": self.scope,
            "iat": int(self.issued_at.timestamp()),
            "exp": int(self.expires_at.timestamp()),
            "jti": self.jti,
            "tsid": self.tsid,
        }
