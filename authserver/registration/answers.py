"""What a client is told about its registration (RFC 7591 section 3.2.1, RFC 7592 section 3). No member is ever null."""

from __future__ import annotations

from typing import Any

from authserver.client_metadata import SECRET_METHODS
from authserver.conf import load
from authserver.models import Client


def describe(client: Client, *, registration_token: str, secret: str | None = None) -> dict[str, Any]:
    """All that is stored and enforced. `secret` only where it was made just now: it is stored hashed, so shown once."""
    answer: dict[str, Any] = {
        "client_id": client.client_id,
        "client_id_issued_at": int(client.created.timestamp()),
        "redirect_uris": client.redirect_uris.split(),
        "grant_types": client.grant_types,
        "response_types": ["code"],
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "registration_client_uri": load().url(f"/oauth/register/{client.client_id}"),
        "registration_access_token": registration_token,
    }
    if client.token_endpoint_auth_method in SECRET_METHODS:
        answer["client_secret_expires_at"] = 0  # never
    if secret is not None:
        answer["client_secret"] = secret
    if client.name:
        answer["client_name"] = client.name
    if client.registered_scope:
        answer["scope"] = client.registered_scope
    answer.update(client.metadata)
    return answer
