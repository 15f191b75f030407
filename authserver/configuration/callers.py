"""The sections `resource_servers` (they may read the vault) and `clients` (static OAuth clients)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from authserver import redirects
from authserver.client_metadata import AUTH_METHODS, GRANT_TYPES, PUBLIC
from authserver.configuration import resources as resource_entries
from authserver.configuration import secrets, shapes
from authserver.configuration.entries import Client, ResourceServer
from authserver.configuration.reading import Fields
from authserver.models import Client as ClientRow
from authserver.resources import canonical


def read_resource_server(entry: Fields, directory: Path) -> ResourceServer:
    server = ResourceServer(
        line=entry.line,
        key=entry.key,
        client_id=entry.text("client_id", required=True, check=shapes.client_id),
        name=entry.text("name"),
        resources=tuple(
            canonical(text)
            for text in entry.texts("resources", required=True, longest=2048, check=resource_entries.identifier)
        ),
        secret=secrets.read(entry, required=True, directory=directory, must_look_random=True),
    )
    entry.done()
    return server


def read_client(entry: Fields, directory: Path) -> Client:
    client_id = entry.text("client_id", required=True, check=shapes.client_id)
    values = client_values(entry)
    public = values["token_endpoint_auth_method"] == PUBLIC
    secret = secrets.read(entry, required=not public, directory=directory, must_look_random=True)
    if public and secret:
        entry.problem("client_secret", "is given, and token_endpoint_auth_method is none", "remove one of them")
    entry.done()
    return Client(line=entry.line, key=entry.key, client_id=client_id, values=values, secret=secret)


def client_values(entry: Fields) -> dict[str, Any]:
    """What `Client` keeps of an entry besides id and secret; what it does not say is the default."""
    method = entry.text("token_endpoint_auth_method", choices=AUTH_METHODS, default=PUBLIC)
    after_logout = list(entry.texts("post_logout_redirect_uris", longest=2048, check=redirect_uri))
    return {
        "name": entry.text("name", required=True),
        "redirect_uris": " ".join(entry.texts("redirect_uris", required=True, longest=2048, check=redirect_uri)),
        "token_endpoint_auth_method": method,
        "client_type": ClientRow.CLIENT_PUBLIC if method == PUBLIC else ClientRow.CLIENT_CONFIDENTIAL,
        "authorization_grant_type": ClientRow.GRANT_AUTHORIZATION_CODE,
        "allowed_scopes": " ".join(entry.texts("scopes", check=shapes.scope)),
        "grant_types": list(GRANT_TYPES),
        "metadata": {"post_logout_redirect_uris": after_logout} if after_logout else {},
    }


def redirect_uri(text: str) -> str | None:
    """Held to what self-registered clients are held to."""
    try:
        redirects.check_registrable(text)
    except ValueError as error:
        return f"cannot be a redirect URI, because {error}; write one that can"
    return None
