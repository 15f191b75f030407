"""Strict reading of form bodies and query strings, before anything interprets them.

Every parameter at most once (RFC 6749 section 3.1), well-formed percent-encoding, valid UTF-8, no NUL, at most 8 KiB a
value. An empty value counts as absent (same section). What is not listed in an endpoint's `allowed` names never gets
further: oauthlib serves any field as an attribute of its request, so an extra one would be an injection.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest
from django.http.request import RawPostDataException

from authserver.errors import OAuthError

MAX_VALUE_BYTES = 8 * 1024
MAX_FIELDS = 64
MAX_BODY_BYTES = 64 * 1024
_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
FORM = "application/x-www-form-urlencoded"


def decode(raw: bytes) -> list[tuple[str, str]]:
    """All name and value pairs in order. Raises `OAuthError` invalid_request for anything malformed."""
    pairs: list[tuple[str, str]] = []
    for part in raw.split(b"&") if raw else []:
        if not part:
            continue
        if len(pairs) >= MAX_FIELDS:
            raise OAuthError("invalid_request", f"There are more than {MAX_FIELDS} parameters.")
        name, _, value = part.partition(b"=")
        pairs.append((_text(name, "A parameter's name"), _text(value, "A parameter's value")))
    return pairs


def _text(raw: bytes, what: str) -> str:
    if _BAD_PERCENT.search(raw):
        raise OAuthError("invalid_request", f"{what} has malformed percent-encoding.")
    value = unquote_to_bytes(raw.replace(b"+", b" "))
    if len(value) > MAX_VALUE_BYTES:
        raise OAuthError("invalid_request", f"{what} is longer than {MAX_VALUE_BYTES} bytes.")
    if b"\x00" in value:
        raise OAuthError("invalid_request", f"{what} contains a NUL byte.")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise OAuthError("invalid_request", f"{what} is not valid UTF-8.") from None


def once(pairs: list[tuple[str, str]], allowed: Collection[str] | None = None, prefix: str = "") -> dict[str, str]:
    """The pairs as a dict: repeated names refused, empty values dropped, names outside `allowed` dropped.

    A name that begins with `prefix`, where there is one, is allowed too.
    """
    seen: set[str] = set()
    values: dict[str, str] = {}
    for name, value in pairs:
        known = allowed is None or name in allowed or bool(prefix and name.startswith(prefix))
        if name in seen and known:
            if name in {"resource", "audience"}:  # RFC 8707 and RFC 8693 allow several; a token of ours is for one
                raise OAuthError("invalid_target", f"Name one {name} only.")
            raise OAuthError("invalid_request", f"The parameter {name[:40]!r} is repeated.")
        seen.add(name)
        if value and known:
            values[name] = value
    return values


def form(request: HttpRequest, allowed: Collection[str] | None = None, prefix: str = "") -> dict[str, str]:
    """The parameters of a form-encoded POST body; the query string is never read."""
    content_type = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if content_type != FORM:
        raise OAuthError("invalid_request", f"Send the parameters as {FORM}.")
    try:
        body = request.body
    except RawPostDataException:  # pragma: no cover - only if a middleware consumed the stream
        raise OAuthError("invalid_request", "The request body could not be read.") from None
    return once(decode(body), allowed, prefix)


def query(request: HttpRequest, allowed: Collection[str] | None = None) -> dict[str, str]:
    """The parameters of the query string."""
    return once(decode(request.META.get("QUERY_STRING", "").encode("latin-1", "replace")), allowed)
