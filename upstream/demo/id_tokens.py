"""What an ID token says (OpenID Connect Core s2, s12.2)."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Any

from .addresses import issuer
from .grants import Issued
from .people import BY_SUBJECT

LIFETIME_SECONDS = 300


def claims(issued: Issued, now: datetime) -> dict[str, Any]:
    """The claims for the tokens just issued; on a refresh no nonce, and the sign-in's `auth_time` (s12.2)."""
    issued_at = int(now.timestamp())
    document = {
        "iss": issuer(),
        "aud": issued.grant.client_id,
        "iat": issued_at,
        "exp": issued_at + LIFETIME_SECONDS,
        "auth_time": int(issued.grant.signed_in_at.timestamp()),
        "at_hash": _half_hash(issued.access_token),
        "sid": issued.grant.sid,
    }
    if issued.nonce:
        document["nonce"] = issued.nonce
    return document | BY_SUBJECT[issued.grant.subject].claims(issued.scopes)


def _half_hash(access_token: str) -> str:
    """OpenID Connect Core s3.1.3.6; both of our algorithms hash with SHA-256."""
    return base64.urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()[:16]).rstrip(b"=").decode()
