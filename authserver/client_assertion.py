"""`private_key_jwt`: a client proves itself with a JWT that it signed (RFC 7523 section 2.2, OpenID Connect Core section 9).

Good for one request: its `jti` is noted in the database, which decides between two that come at once.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from django.db import IntegrityError, transaction

from authserver import client_jwks, client_key_sets
from authserver.conf import load
from authserver.errors import OAuthError
from authserver.models import Client, UsedAssertion
from authserver.strict_json import InvalidJson, read_object

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_LENGTH = 8 * 1024
MAX_LIFETIME = timedelta(minutes=10)
SKEW = timedelta(seconds=60)
MAX_JTI = 255


class _Flaw(Exception):
    """What is wrong with the assertion: a phrase for the client's developer, who made it."""


def named(unverified: str) -> str:
    """The client that an unchecked assertion speaks for; empty where it cannot be read."""
    if len(unverified) > MAX_LENGTH or not unverified.isascii() or unverified.count(".") != 2:
        return ""
    try:
        subject = jwt.decode(unverified, options={"verify_signature": False}).get("sub")
    except (jwt.PyJWTError, ValueError, RecursionError):
        return ""
    return subject if isinstance(subject, str) else ""


def check(client: Client, unverified: str, *, now: datetime) -> None:
    """Raise `OAuthError` invalid_client unless the client made this assertion for us, now, and for this one request."""
    try:
        claims = _verified(client, unverified, now=now)
        _use(client, claims, now=now)
    except (_Flaw, client_key_sets.NoKeys) as flaw:
        raise OAuthError(
            "invalid_client", f"The client assertion is not accepted: {flaw}.", status=401, detail=str(flaw)
        ) from None


def _verified(client: Client, unverified: str, *, now: datetime) -> dict[str, Any]:
    header = jwt.get_unverified_header(unverified)  # `named` has read it already
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in client_jwks.ALGORITHMS:
        raise _Flaw(f"alg has to be one of {', '.join(client_jwks.ALGORITHMS)}")
    if kid is not None and not isinstance(kid, str):
        raise _Flaw("kid is not text")
    tried: list[client_jwks.Jwk] = []
    for again in (False, True):
        keys = client_key_sets.keys_of(client, now=now, again=again)
        if keys == tried:
            break
        tried = keys
        for key in client_jwks.choose(keys, algorithm=algorithm, kid=kid):
            if (claims := _claims(unverified, key, algorithm)) is not None:
                _check_claims(client, claims, now=now)
                return claims
    raise _Flaw("none of the registered keys made its signature")


def _claims(unverified: str, key: Any, algorithm: str) -> dict[str, Any] | None:
    """What it says, if this key signed it. What it has to say is looked at elsewhere, against the `now` we were given."""
    try:
        payload: bytes = jwt.api_jws.decode(unverified, key, algorithms=[algorithm])
    except (jwt.PyJWTError, ValueError):
        return None
    try:
        return read_object(payload)
    except InvalidJson:
        raise _Flaw("its claims are not a JSON object") from None


def _check_claims(client: Client, claims: dict[str, Any], *, now: datetime) -> None:
    if claims.get("iss") != client.client_id or claims.get("sub") != client.client_id:
        raise _Flaw("iss and sub have to be the client_id")
    audience = claims.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    if audience not in (load().issuer, load().url("/oauth/token")):  # one, and ours: it is good nowhere else
        raise _Flaw("aud has to be this issuer, or its token endpoint, and nothing besides")
    ends = _moment(claims, "exp")
    if ends is None:
        raise _Flaw("exp is missing")
    if ends <= now - SKEW:
        raise _Flaw("it has expired")
    if ends > now + MAX_LIFETIME + SKEW:
        raise _Flaw("exp is more than ten minutes away")
    for name in ("iat", "nbf"):
        if (moment := _moment(claims, name)) is not None and moment > now + SKEW:
            raise _Flaw(f"{name} is in the future")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= MAX_JTI:
        raise _Flaw(f"jti has to be there, at most {MAX_JTI} characters")


def _moment(claims: dict[str, Any], name: str) -> datetime | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**33:
        raise _Flaw(f"{name} is not a number of seconds")
    return datetime.fromtimestamp(value, UTC)


def _use(client: Client, claims: dict[str, Any], *, now: datetime) -> None:
    """Note that it was used. One INSERT; whoever comes second with it learns so."""
    used = hashlib.sha256(f"{client.client_id}\n{claims['jti']}".encode("utf-8", "replace")).hexdigest()
    ends = datetime.fromtimestamp(claims["exp"], UTC) + SKEW
    try:
        with transaction.atomic():
            UsedAssertion(digest=used, expires_at=ends).save(force_insert=True)
    except IntegrityError:
        raise _Flaw("it was used before; each request needs one with a jti of its own") from None
