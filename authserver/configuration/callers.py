"""The sections `resource_servers` (they may read the vault) and `clients` (static OAuth clients)."""

from __future__ import annotations

from pathlib import Path

from authserver import redirects
from authserver.configuration import resources as resource_entries
from authserver.configuration import secrets, shapes
from authserver.configuration.entries import Client, ResourceServer
from authserver.configuration.reading import Fields
from authserver.resources import canonical

AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post")
GRANT_TYPES = ("authorization_code", "refresh_token")


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
    method = entry.text("token_endpoint_auth_method", choices=AUTH_METHODS, default="none")
    client = Client(
        line=entry.line,
        key=entry.key,
        client_id=entry.text("client_id", required=True, check=shapes.client_id),
        values={
            "name": entry.text("name", required=True),
            "redirect_uris": " ".join(entry.texts("redirect_uris", required=True, longest=2048, check=redirect_uri)),
            "token_endpoint_auth_method": method,
            "client_type": "public" if method == "none" else "confidential",
            "allowed_scopes": " ".join(entry.texts("scopes", check=shapes.scope)),
            "grant_types": list(GRANT_TYPES),
        },
        secret=secrets.read(entry, required=method != "none", directory=directory, must_look_random=True),
    )
    if method == "none" and client.secret:
        entry.problem("client_secret", "is given, and token_endpoint_auth_method is none", "remove one of them")
    entry.done()
    return client


def redirect_uri(text: str) -> str | None:
    """Held to what self-registered clients are held to (behaviour.md, authorize 6)."""
    try:
        redirects.check_registrable(text)
    except ValueError as error:
        return f"cannot be a redirect URI, because {error}; write one that can"
    return None
