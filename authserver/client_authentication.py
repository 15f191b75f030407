"""How a caller proves who it is at the machine endpoints: Basic, post, an assertion, or a public client's bare `client_id`.

RFC 6749 section 2.3.1. Basic credentials are taken percent-encoded (Python SDK) or not (TypeScript SDK).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote_plus

from django.contrib.auth.hashers import check_password

from authserver import client_assertion
from authserver.errors import OAuthError, invalid_client
from authserver.models import Client

MAX_HEADER = 4 * 1024


@dataclass(frozen=True)
class Presented:
    """What a caller presented, unchecked. `pairs` are the possible readings of (id, secret), the likelier first."""

    method: str
    pairs: tuple[tuple[str, str], ...] = field(repr=False)
    assertion: str = field(default="", repr=False)

    @property
    def tried_basic(self) -> bool:
        return self.method == "client_secret_basic"

    @property
    def client_ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(client_id for client_id, _ in self.pairs))

    def secrets_for(self, client_id: str) -> tuple[str, ...]:
        return tuple(secret for candidate, secret in self.pairs if candidate == client_id)


def presented(authorization: str, parameters: dict[str, str]) -> Presented:
    """Read the credentials of a request.

    Raises `OAuthError`: invalid_client (401) for a malformed header or no client at all, invalid_request (400) for two
    ways at once or two different clients.
    """
    body_id, body_secret = parameters.get("client_id", ""), parameters.get("client_secret", "")
    if "client_assertion" in parameters or "client_assertion_type" in parameters:
        if authorization or body_secret:
            raise _two_ways()
        return _by_assertion(parameters, body_id)
    if authorization:
        pairs = _basic(authorization)
        if body_secret:
            raise _two_ways()
        if body_id:
            pairs = tuple(pair for pair in pairs if pair[0] == body_id)
            if not pairs:
                raise OAuthError("invalid_request", "client_id differs from the one in the Authorization header.")
        return Presented("client_secret_basic", pairs)
    if not body_id:
        raise invalid_client("no client credentials")
    return Presented("client_secret_post" if body_secret else "none", ((body_id, body_secret),))


def _two_ways() -> OAuthError:
    return OAuthError("invalid_request", "Authenticate the client in one way, not two (RFC 6749 section 2.3).")


def _by_assertion(parameters: dict[str, str], body_id: str) -> Presented:
    """RFC 7521 section 4.2: `client_id` may be left out, and must not name another client."""
    unverified = parameters.get("client_assertion", "")
    if parameters.get("client_assertion_type") != client_assertion.TYPE:
        raise invalid_client("client_assertion_type is not jwt-bearer")
    client_id = client_assertion.named(unverified)
    if not client_id or (body_id and body_id != client_id):
        raise invalid_client("the client_assertion cannot be read, or speaks for another client")
    return Presented("private_key_jwt", ((client_id, ""),), unverified)


def _basic(authorization: str) -> tuple[tuple[str, str], ...]:
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic" or len(authorization) > MAX_HEADER:
        raise invalid_client("the Authorization header is not Basic", tried_basic=True)
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise invalid_client("malformed Basic credentials", tried_basic=True) from None
    client_id, colon, secret = text.partition(":")
    decoded = unquote_plus(client_id), unquote_plus(secret)
    if not colon or not client_id or "\x00" in text + "".join(decoded):  # PostgreSQL would choke on a NUL
        raise invalid_client("malformed Basic credentials", tried_basic=True)
    return tuple(dict.fromkeys([decoded, (client_id, secret)]))


def check_client(client: Client | None, given: Presented, *, now: datetime) -> Client:
    """The client, if it is usable and authenticated in the very way it registered. Raises invalid_client."""
    if client is None:
        raise invalid_client("unknown client", tried_basic=given.tried_basic)
    if not client.is_usable(None):
        raise invalid_client("disabled client", tried_basic=given.tried_basic)
    if client.token_endpoint_auth_method != given.method:
        raise invalid_client(f"registered for {client.token_endpoint_auth_method}", tried_basic=given.tried_basic)
    if given.method == "private_key_jwt":
        client_assertion.check(client, given.assertion, now=now)
    elif given.method != "none" and not secret_matches(given.secrets_for(client.client_id), client.client_secret):
        raise invalid_client("wrong secret", tried_basic=given.tried_basic)
    return client


def secret_matches(candidates: tuple[str, ...], stored: str) -> bool:
    """Whether any reading of the presented secret is the stored one; an empty secret never is."""
    return bool(stored) and any(candidate and check_password(candidate, stored) for candidate in candidates)
