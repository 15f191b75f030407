"""What our access tokens say (RFC 9068, and `tsid`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class AccessClaims:
    """The claims of one access token, checked (`verify`) or about to be signed (`mint`). `scope` is space-separated."""

    subject: UUID
    audience: str
    client_id: str
    scope: str
    tsid: str
    jti: str
    issued_at: datetime
    expires_at: datetime

    def as_json(self, issuer: str) -> dict[str, Any]:
        return {
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
