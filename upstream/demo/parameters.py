"""Query strings and form bodies, read strictly: what no specification allows is refused before it is used."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.http.request import UnreadablePostError

from .errors import invalid_request

MAX_FIELDS = 100
MAX_VALUE_BYTES = 8 * 1024
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def decode(encoded: str) -> str:
    """One `application/x-www-form-urlencoded` name or value. Databases refuse NUL, so we do it first."""
    if len(encoded) > 3 * MAX_VALUE_BYTES:
        raise invalid_request("a parameter is too long")
    if _BAD_PERCENT.search(encoded):
        raise invalid_request("a parameter is not percent-encoded correctly")
    try:
        value = unquote_plus(encoded, errors="strict")
    except UnicodeDecodeError:
        raise invalid_request("a parameter is not UTF-8") from None
    if "\x00" in value:
        raise invalid_request("a parameter contains NUL")
    return value


def _parse(raw: bytes) -> dict[str, str]:
    """Each parameter at most once; one without a value counts as absent (RFC 6749 s3.1, s3.2)."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise invalid_request("the request is not UTF-8") from None
    pairs = [pair for pair in text.split("&") if pair]
    if len(pairs) > MAX_FIELDS:
        raise invalid_request("there are too many parameters")
    parameters: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        name = decode(name)
        if name in parameters:
            raise invalid_request("a parameter is repeated")
        parameters[name] = decode(value)
    return {name: value for name, value in parameters.items() if value}


def query(request: HttpRequest) -> dict[str, str]:
    """The query string's parameters. WSGI hands the bytes over as latin-1 (PEP 3333)."""
    return _parse(str(request.META.get("QUERY_STRING", "")).encode("latin-1", "replace"))


def form(request: HttpRequest) -> dict[str, str]:
    """The body's parameters; only the form encoding of RFC 6749 appendix B is taken."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise invalid_request("the body must be application/x-www-form-urlencoded")
    try:
        return _parse(request.body)
    except RequestDataTooBig:
        raise invalid_request("the body is too large", status=413) from None
    except UnreadablePostError:
        raise invalid_request("the body ended early") from None
