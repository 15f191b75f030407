"""The registration access token (RFC 7592 section 3): whoever holds it manages that one client, and nothing else.

It is 256 random bits behind a prefix, opaque, and no token of any other endpoint; its SHA-256 is stored.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from django.utils.crypto import constant_time_compare

from authserver import clients
from authserver.errors import OAuthError
from authserver.models import Client

PREFIX = "rat_"
_BEARER = re.compile(r"bearer +(rat_[A-Za-z0-9_-]{43})", re.IGNORECASE)  # RFC 6750 section 2.1


def new_token() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def owned(client_id: str, authorization: str) -> tuple[Client, str]:
    """The client and the token, if this `Authorization` header manages it.

    Raises `OAuthError` 401, in the same words for an unknown client, another client's token and one that was not
    registered here (RFC 7592 section 2.1), so that nobody learns which clients exist.
    """
    if not authorization:
        raise refused("no registration token", tried=False)
    presented = _BEARER.fullmatch(authorization.strip())
    token = presented[1] if presented else ""
    client = clients.known(client_id) if token else None
    expected = client.registration_token_hash if client is not None else ""
    if client is None or not expected or not constant_time_compare(digest(token), expected):
        raise refused("wrong registration token")
    if client.registration_source != Client.RegistrationSource.DCR:
        raise refused("not a self-registered client")
    return client, token


def refused(detail: str, *, tried: bool = True) -> OAuthError:
    """RFC 6750 section 3.1: the challenge names no error where no token was sent."""
    return OAuthError(
        "invalid_token",
        "The registration access token of this client is needed.",
        status=401,
        detail=detail,
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"' if tried else "Bearer"},
    )
