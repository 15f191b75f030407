"""Check an access token of ours: signature, type, issuer, times, and the shape of every claim.

Whether its session still lives is the vault's to say.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import jwt

from authserver.claims import AccessClaims
from authserver.conf import load
from authserver.keys import signer
from authserver.mint import ACCESS_TOKEN_TYPE

MAX_LENGTH = 8 * 1024
LEEWAY_SECONDS = 0  # the clock that minted is the clock that checks


class InvalidToken(Exception):
    """Not a live access token of ours. The message is for the log; it never quotes the token."""


def access_token(unverified_jwt: str, *, now: datetime) -> AccessClaims:
    """The claims of a genuine, unexpired access token of ours. Raises `InvalidToken`."""
    if len(unverified_jwt) > MAX_LENGTH or unverified_jwt.count(".") != 2 or not unverified_jwt.isascii():
        raise InvalidToken("not a compact JWS")
    try:
        header = jwt.get_unverified_header(unverified_jwt)
    except jwt.PyJWTError as error:
        raise InvalidToken("unreadable header") from error
    kid, typ = header.get("kid"), header.get("typ")
    if not isinstance(typ, str) or typ.lower() not in {ACCESS_TOKEN_TYPE, f"application/{ACCESS_TOKEN_TYPE}"}:
        raise InvalidToken("not an access token")  # RFC 9068 section 4: an ID token is no access token
    if not isinstance(kid, str) or (found := signer().verification_key(kid)) is None:
        raise InvalidToken("unknown key")
    algorithm, key = found
    try:
        claims = jwt.decode(
            unverified_jwt,
            key,
            algorithms=[algorithm],
            issuer=load().issuer,
            leeway=LEEWAY_SECONDS,
            options={
                "require": ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "tsid"],
                "verify_signature": True,
                "verify_iss": True,
                "verify_aud": False,  # the caller decides which resource it speaks for
                "verify_exp": False,  # below, against the `now` we were given
                "verify_iat": False,  # below
            },
        )
    except jwt.PyJWTError as error:
        raise InvalidToken(type(error).__name__) from error
    texts = [claims[name] for name in ("sub", "aud", "client_id", "jti", "tsid")] + [claims.get("scope", "")]
    if not all(isinstance(text, str) for text in texts):
        raise InvalidToken("a claim is not text")
    times = [claims["iat"], claims["exp"]]
    if not all(isinstance(time, int) and not isinstance(time, bool) and 0 <= time < 2**40 for time in times):
        raise InvalidToken("a time is not a number of seconds")
    moment = now.timestamp()
    if claims["exp"] + LEEWAY_SECONDS <= moment:
        raise InvalidToken("expired")
    if claims["iat"] > moment + 60:
        raise InvalidToken("issued in the future")
    try:
        subject = UUID(claims["sub"])
    except ValueError as error:
        raise InvalidToken("sub is not a user of ours") from error
    return AccessClaims(
        subject=subject,
        audience=claims["aud"],
        client_id=claims["client_id"],
        scope=claims.get("scope", ""),
        tsid=claims["tsid"],
        jti=claims["jti"],
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )
