"""How the demo MCP server checks an access token: with the authorization server's public keys, asking nobody else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import jwt

from upstream import http
from upstream.errors import UpstreamError

from . import places

ALGORITHMS = ("ES256", "RS256")
KEYS_MAX_AGE_SECONDS = 300.0


class Unacceptable(Exception):
    """The token does not let its bearer in. The message may be shown."""


@dataclass(frozen=True)
class Bearer:
    """Who calls: what the token says of its person, client and scopes."""

    subject: str
    client_id: str
    scopes: frozenset[str]


def check(unverified_jwt: str) -> Bearer:
    """Signature, type, issuer, audience and times (RFC 9068 section 4). Raises `Unacceptable`."""
    try:
        header = jwt.get_unverified_header(unverified_jwt)
        if str(header.get("typ", "")).lower().removeprefix("application/") != "at+jwt":
            raise Unacceptable("not an access token")
        key = _keys.find(str(header.get("kid", "")))
        claims: dict[str, Any] = jwt.decode(
            unverified_jwt,
            key,
            algorithms=[name for name in ALGORITHMS if name == key.algorithm_name],
            issuer=places.issuer(),
            audience=places.mcp_server(),
            options={
                "require": ["iss", "sub", "aud", "exp", "client_id"],
                "verify_signature": True,
                "verify_iss": True,
                "verify_aud": True,
                "verify_exp": True,
            },
        )
    except (jwt.PyJWTError, UpstreamError) as error:
        raise Unacceptable("the token is malformed, expired, or not for this server") from error
    return Bearer(str(claims["sub"]), str(claims["client_id"]), frozenset(str(claims.get("scope", "")).split()))


class Keys:
    """The authorization server's public keys, kept for five minutes; an unknown one is looked up at once: keys turn over."""

    def __init__(self) -> None:
        self._by_id: dict[str, jwt.PyJWK] = {}
        self._stale_at = 0.0

    def find(self, kid: str) -> jwt.PyJWK:
        if time.monotonic() >= self._stale_at or kid not in self._by_id:
            self._fetch()
        if kid not in self._by_id:
            raise Unacceptable("the token is signed with an unknown key")
        return self._by_id[kid]

    def _fetch(self) -> None:
        document = http.request("GET", f"{places.issuer()}/.well-known/jwks.json", allow_private_network=True).json()
        if not isinstance(document, dict):
            raise Unacceptable("the authorization server's keys cannot be read")
        self._by_id = {str(key.key_id): key for key in jwt.PyJWKSet.from_dict(document).keys}
        self._stale_at = time.monotonic() + KEYS_MAX_AGE_SECONDS


_keys = Keys()
