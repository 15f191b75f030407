"""Reading a registration request: JSON, bounded, and no scope in it that nothing here has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.http.request import UnreadablePostError

from authserver.client_metadata import ClientMetadata, InvalidMetadata, read, without_unknown_scopes
from authserver.errors import OAuthError
from authserver.models import Resource
from authserver.scopes import IDENTITY_SCOPES
from authserver.strict_json import InvalidJson, read_object

MAX_BODY_BYTES = 64 * 1024


def document(request: HttpRequest) -> dict[str, Any]:
    """The JSON object sent. Raises `OAuthError`: invalid_client_metadata, 413 for more than 64 KiB."""
    media_type = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise OAuthError("invalid_client_metadata", "Send the client metadata as application/json.")
    try:
        body = request.body
    except RequestDataTooBig:
        body = b" " * (MAX_BODY_BYTES + 1)
    except UnreadablePostError:
        raise OAuthError("invalid_client_metadata", "The request body ended early.") from None
    if len(body) > MAX_BODY_BYTES:
        raise OAuthError("invalid_client_metadata", f"More than {MAX_BODY_BYTES} bytes were sent.", status=413)
    try:
        return read_object(body)
    except InvalidJson as error:
        raise OAuthError("invalid_client_metadata", str(error)) from None


def metadata(sent: dict[str, Any]) -> ClientMetadata:
    """What of it is stored. Raises `OAuthError`: invalid_redirect_uri or invalid_client_metadata (section 3.2.2)."""
    try:
        checked = read(sent)
    except InvalidMetadata as error:
        raise OAuthError(error.error, str(error)) from None
    return replace(checked, scope=without_unknown_scopes(checked.scope, _known_scopes(checked.scope)))


def _known_scopes(asked: str) -> set[str]:
    """The scopes some resource here has; the database is asked only where it could matter."""
    known = set(IDENTITY_SCOPES)
    if not known.issuperset(asked.split()):
        for scopes in Resource.objects.filter(enabled=True).values_list("scopes", flat=True):
            known.update(scopes)
    return known
