"""The callback's parameters, checked before anything is made of them."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from django.http import HttpRequest

MAX_VALUE_LENGTH = 8 * 1024
MAX_PARAMETERS = 32
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class BadInput(Exception):
    """The query is not one that a provider's answer could have. The message names the fault, not the content."""


def parameters(request: HttpRequest) -> dict[str, str]:
    """The query: valid UTF-8, no NUL, each name once, each value at most 8 KiB."""
    raw: str = request.META.get("QUERY_STRING", "")
    if _BROKEN_ESCAPE.search(raw):
        raise BadInput("a broken escape")
    try:
        # WSGI hands bytes over as Latin-1 (PEP 3333).
        text = raw.encode("latin-1").decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except UnicodeError:
        raise BadInput("invalid UTF-8") from None
    except ValueError:
        raise BadInput("too many parameters") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadInput("a parameter given twice")
    if any(len(name) > MAX_VALUE_LENGTH or len(value.encode()) > MAX_VALUE_LENGTH for name, value in pairs):
        raise BadInput("a value too long")
    if any("\x00" in name or "\x00" in value for name, value in pairs):
        raise BadInput("a NUL")
    return found
