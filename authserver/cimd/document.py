"""One document: fetched through the guarded door, and read as strictly as a registration request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from authserver import client_metadata
from authserver.cimd import freshness
from authserver.cimd.errors import UnusableDocument
from authserver.client_metadata import KEY_METHOD, PUBLIC, ClientMetadata, InvalidMetadata
from authserver.strict_json import InvalidJson, read_object
from upstream import http
from upstream.calls import Call
from upstream.errors import OutboundFailed, OutboundRefused

MAX_BYTES = 64 * 1024
TIMEOUT_SECONDS = 5.0
MAX_REDIRECT_URIS = 50  # one document speaks for every installation of a client

_FAILURES = {
    "timeout": "its server did not answer in time",
    "tls": "its server's certificate is not one we trust",
    "dns": "its host name cannot be resolved",
    "too_large": f"it is larger than {MAX_BYTES} bytes",
}


@dataclass(frozen=True)
class Document:
    """A good document, and how long it holds."""

    metadata: ClientMetadata
    lifetime: timedelta


def fetch(client_id: str, *, allow_private_network: bool, now: datetime) -> Document:
    """Get and read the document behind a checked URL. Raises `UnusableDocument`. Follows no redirect."""
    try:
        answer = http.request(
            "GET",
            client_id,
            allow_private_network=allow_private_network,
            headers={"Accept": "application/json, application/*+json"},
            timeout_seconds=TIMEOUT_SECONDS,
            max_bytes=MAX_BYTES,
            call=Call("client_document"),
        )
    except OutboundRefused:
        raise UnusableDocument(
            "The client's metadata document is at an address that is not called from here."
        ) from None
    except OutboundFailed as error:
        why = _FAILURES.get(error.kind, "its server cannot be reached")
        raise UnusableDocument(f"The client's metadata document cannot be fetched: {why}.") from None
    if answer.status != 200:
        raise UnusableDocument(f"The client's metadata document was answered with status {answer.status}, not 200.")
    if not _is_json(answer.headers.get("Content-Type", "")):
        raise UnusableDocument("The client's metadata document is not served as application/json.")
    return Document(read(answer.body, client_id), freshness.lifetime(answer.headers, now=now))


def read(body: bytes, client_id: str) -> ClientMetadata:
    """What the document says. Raises `UnusableDocument`."""
    try:
        document = read_object(body)
    except InvalidJson as error:
        raise UnusableDocument(f"The client's metadata document cannot be read: {error}") from None
    if document.get("client_id") != client_id:
        raise UnusableDocument("The client_id in the client's metadata document is not the URL it was fetched from.")
    if any(name.startswith("client_secret") for name in document):
        raise UnusableDocument("The client's metadata document holds a client_secret; such a document is public.")
    method = document.get("token_endpoint_auth_method", PUBLIC)
    if method not in (PUBLIC, KEY_METHOD):
        raise UnusableDocument(
            "token_endpoint_auth_method in the client's metadata document must be none or private_key_jwt."
        )
    try:
        metadata = client_metadata.read(document, max_redirect_uris=MAX_REDIRECT_URIS)
    except InvalidMetadata as error:
        raise UnusableDocument(f"The client's metadata document is not valid: {error}") from None
    if metadata.token_endpoint_auth_method != method:
        raise UnusableDocument(
            "The client's metadata document says private_key_jwt, and has neither jwks nor jwks_uri."
        )
    if not metadata.name:
        raise UnusableDocument("The client's metadata document has no client_name.")
    return metadata


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))
