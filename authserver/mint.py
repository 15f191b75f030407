"""Make an access token: `mint.access_token(...)`."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt

from authserver.claims import AccessClaims
from authserver.conf import load
from authserver.keys import signer

ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068 section 2.1, a header value


def access_token(
    *,
    subject: UUID,
    audience: str,
    client_id: str,
    scope: str,
    tsid: str,
    lifetime_seconds: int,
    now: datetime,
    about: Mapping[str, Any] | None = None,
) -> str:
    """A signed `at+jwt` for one resource, naming the token session behind it. `about` is `claims.about` of the person."""
    claims = AccessClaims(
        subject=subject,
        audience=audience,
        client_id=client_id,
        scope=scope,
        tsid=tsid,
        jti=secrets.token_urlsafe(18),
        issued_at=now,
        expires_at=now + timedelta(seconds=lifetime_seconds),
        about=about or {},
    )
    return signer().sign(claims.as_json(load().issuer), ACCESS_TOKEN_TYPE)


CALLER_TOKEN_LIFETIME_SECONDS = 300


def caller_token(*, client_id: str, audience: str, now: datetime) -> str:
    """A resource server's short access token for our own API (RFC 9068 section 2.2: without a person, `sub` is the client).

    It names no session, and so passes nowhere for a person's.
    """
    claims: dict[str, object] = {
        "iss": load().issuer,
        "sub": client_id,
        "aud": audience,
        "client_id": client_id,
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + CALLER_TOKEN_LIFETIME_SECONDS,
        "jti": secrets.token_urlsafe(18),
    }
    return signer().sign(claims, ACCESS_TOKEN_TYPE)


ID_TOKEN_LIFETIME_SECONDS = 600


def id_token(
    *,
    subject: UUID,
    client_id: str,
    access_token: str,
    nonce: str,
    auth_time: datetime | None,
    now: datetime,
    about: Mapping[str, Any] | None = None,
) -> str:
    """An ID token for the client itself (OpenID Connect Core section 2): who signed in and when, and `claims.about` them.

    A refreshed one (s12.2) has the `auth_time` of that very sign-in, and no `nonce`.
    """
    claims: dict[str, object] = {
        **(about or {}),
        "iss": load().issuer,
        "sub": str(subject),
        "aud": client_id,
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + ID_TOKEN_LIFETIME_SECONDS,
    }
    if nonce:
        claims["nonce"] = nonce
    if auth_time is not None:
        claims["auth_time"] = int(auth_time.timestamp())
    while True:  # the key may turn over, and its algorithm with it, between a look at it and the signature
        algorithm = signer().algorithm
        token = signer().sign({**claims, "at_hash": at_hash(access_token, algorithm)}, "JWT")
        if jwt.get_unverified_header(token)["alg"] == algorithm:
            return token


def at_hash(access_token: str, algorithm: str) -> str:
    """OpenID Connect Core section 3.1.3.6: the left half of the hash that the signature algorithm uses.

    Ed25519 signs with SHA-512 inside (RFC 8032), and so hashes with it here.
    """
    name = "sha512" if algorithm == "EdDSA" else f"sha{algorithm[-3:]}"
    digest = hashlib.new(name, access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
