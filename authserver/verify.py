"""Check a token of ours: signature, type, issuer, times, and the shape of every claim.

Whether the session of an access token still lives is the vault's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
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
    """The claims of a genuine, unexpired access token of a person's session. Raises `InvalidToken`.

    The caller decides which resource it speaks for, and so what the audience must be.
    """
    claims = _claims(unverified_jwt, now=now, text=("sub", "aud", "client_id", "jti", "tsid"))
    scope = claims.get("scope", "")
    if not isinstance(scope, str):
        raise InvalidToken("a claim is not text")
    try:
        subject = UUID(claims["sub"])
    except ValueError as error:
        raise InvalidToken("sub is not a user of ours") from error
    return AccessClaims(
        subject=subject,
        audience=claims["aud"],
        client_id=claims["client_id"],
        scope=scope,
        tsid=claims["tsid"],
        jti=claims["jti"],
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )


def caller_token(unverified_jwt: str, *, audience: str, now: datetime) -> str:
    """The resource server that this genuine, unexpired token of `mint.caller_token` is of. Raises `InvalidToken`."""
    claims = _claims(unverified_jwt, now=now, text=("sub", "aud", "client_id", "jti"))
    if claims["aud"] != audience or claims["sub"] != claims["client_id"] or "tsid" in claims:
        raise InvalidToken("not a resource server's token for this API")
    client_id: str = claims["client_id"]
    return client_id


@dataclass(frozen=True)
class Hint:
    """Whom an ID token of ours is about, and the client that it was given to."""

    subject: UUID
    client_id: str


def id_token_hint(unverified_jwt: str) -> Hint:
    """What an ID token of ours says, however long ago it was (OpenID Connect Core section 3.1.2.1, RP-Initiated Logout
    1.0 section 2). Raises `InvalidToken`.
    """
    claims = _signed(unverified_jwt, types=("jwt",), text=("sub", "aud"))
    try:
        return Hint(UUID(claims["sub"]), claims["aud"])
    except ValueError as error:
        raise InvalidToken("sub is not a user of ours") from error


def hinted_subject(unverified_jwt: str, *, client_id: str) -> UUID:
    """Whom an ID token that we gave this client is about. Raises `InvalidToken`."""
    hint = id_token_hint(unverified_jwt)
    if hint.client_id != client_id:
        raise InvalidToken("another client's")
    return hint.subject


def _claims(unverified_jwt: str, *, now: datetime, text: tuple[str, ...]) -> dict[str, Any]:
    """What an access token of ours says that is within its time; `text` names the claims it must have."""
    # RFC 9068 section 4: an ID token is no access token
    claims = _signed(unverified_jwt, types=(ACCESS_TOKEN_TYPE, f"application/{ACCESS_TOKEN_TYPE}"), text=text)
    moment = now.timestamp()
    if claims["exp"] + LEEWAY_SECONDS <= moment:
        raise InvalidToken("expired")
    if claims["iat"] > moment + 60:
        raise InvalidToken("issued in the future")
    return claims


def _signed(unverified_jwt: str, *, types: tuple[str, ...], text: tuple[str, ...]) -> dict[str, Any]:
    """What a token of ours says that has type (one of `types`, in lower case), key and issuer in order."""
    if len(unverified_jwt) > MAX_LENGTH or unverified_jwt.count(".") != 2 or not unverified_jwt.isascii():
        raise InvalidToken("not a compact JWS")
    try:
        # of the header alone: all of it is read once more, with the key
        header = jwt.get_unverified_header(f"{unverified_jwt.partition('.')[0]}..")
    except jwt.PyJWTError as error:
        raise InvalidToken("unreadable header") from error
    kid, typ = header.get("kid"), header.get("typ")
    if not isinstance(typ, str) or typ.lower() not in types:
        raise InvalidToken("of another type")
    if not isinstance(kid, str) or (found := signer().verification_key(kid)) is None:
        raise InvalidToken("unknown key")
    algorithm, key = found
    try:
        claims: dict[str, Any] = jwt.decode(
            unverified_jwt,
            key,
            algorithms=[algorithm],
            issuer=load().issuer,
            leeway=LEEWAY_SECONDS,
            options={
                "require": ["iss", "iat", "exp", *text],
                "verify_signature": True,
                "verify_iss": True,
                "verify_aud": False,  # whoever asked for the claims does
                "verify_exp": False,  # by `_claims`, against the `now` that it was given
                "verify_iat": False,  # as above
            },
        )
    except jwt.PyJWTError as error:
        raise InvalidToken(type(error).__name__) from error
    if not all(isinstance(claims[name], str) for name in text):
        raise InvalidToken("a claim is not text")
    times = [claims["iat"], claims["exp"]]
    if not all(isinstance(time, int) and not isinstance(time, bool) and 0 <= time < 2**40 for time in times):
        raise InvalidToken("a time is not a number of seconds")
    return claims
