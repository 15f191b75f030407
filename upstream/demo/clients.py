"""Registered clients, and how they prove who they are (RFC 6749 s2.3.1)."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Collection, Mapping

from django.conf import settings
from django.http import HttpRequest

from . import opaque, parameters
from .addresses import issuer
from .errors import OAuthError, invalid_request
from .models import Client


def find(client_id: str) -> Client | None:
    """The client of that id. Authserver's own comes from the settings, as an unsaved row."""
    if client_id and client_id == settings.DEMO_UPSTREAM_CLIENT_ID:
        callback = f"{settings.ISSUER}/oauth/callback"
        return Client(
            client_id=client_id,
            secret_hash=opaque.digest(settings.DEMO_UPSTREAM_CLIENT_SECRET),
            name="Authserver",
            redirect_uris=[f"{callback}/demo", callback],
            backchannel_logout_uri=f"{settings.ISSUER}/oauth/backchannel-logout/demo",
        )
    return Client.objects.filter(client_id=client_id).first()


def authenticate(request: HttpRequest, form: Mapping[str, str], methods: Collection[str]) -> Client:
    """The client that sent `request`, by one of `methods`; two at once are refused (RFC 6749 s2.3)."""
    header = request.headers.get("Authorization", "")
    if header and "client_secret" in form:
        raise invalid_request("the client authenticated in two ways")
    if header:
        method, (client_id, secret) = "client_secret_basic", basic_credentials(header)
        if form.get("client_id", client_id) != client_id:
            raise invalid_request("client_id differs from the authenticated client")
    else:
        method, client_id, secret = (
            "client_secret_post",
            form.get("client_id", ""),
            form.get("client_secret", ""),
        )
    client = find(client_id) if method in methods and secret else None
    if client is None or not secrets.compare_digest(client.secret_hash, opaque.digest(secret)):
        raise _invalid_client()
    return client


def basic_credentials(header: str) -> tuple[str, str]:
    """Client id and secret of a Basic header, each form-encoded before they were joined (RFC 6749 s2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise _invalid_client()
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise _invalid_client() from None
    if not colon:
        raise _invalid_client()
    return parameters.decode(client_id), parameters.decode(secret)


def _invalid_client() -> OAuthError:
    """The challenge goes to those who sent no header too; they may ignore it."""
    challenge = {"WWW-Authenticate": f'Basic realm="{issuer()}"'}
    return OAuthError("invalid_client", "client authentication failed", 401, challenge)
