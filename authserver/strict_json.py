"""JSON from strangers: one reading of it, bounded in depth and size, and nothing in it that a database cannot hold."""

from __future__ import annotations

import json
import math
from typing import Any

MAX_DEPTH = 20
MAX_DIGITS = 20


class InvalidJson(ValueError):
    """The message says what is wrong, in words fit for the sender's developer."""


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. The caller has bounded its size.

    RFC 8259, read strictly: UTF-8 without a byte order mark, each member name once, no NaN or Infinity and no number
    too large for a float, at most `MAX_DEPTH` levels, no NUL and no half of a surrogate pair in any text. Raises
    `InvalidJson`.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidJson("The JSON is not valid UTF-8.") from None
    try:
        document = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_bounded
        )
    except InvalidJson:
        raise
    except RecursionError:
        raise InvalidJson(f"The JSON is nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError:
        raise InvalidJson("The text is not valid JSON.") from None
    if not isinstance(document, dict):
        raise InvalidJson("A JSON object is needed.")
    _check(document)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidJson("A JSON member is repeated.")
    return members


def _no_constant(name: str) -> None:
    raise InvalidJson(f"{name} is not a JSON number.")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise InvalidJson("A JSON number is out of range.")
    return number


def _bounded(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise InvalidJson("A JSON number is out of range.")
    return int(text)


def _check(document: dict[str, Any]) -> None:
    """Walk without recursion: the depth is what is being checked."""
    waiting: list[tuple[Any, str, int]] = [(value, name, 2) for name, value in document.items()]
    waiting += [(name, "A member name", 1) for name in document]
    while waiting:
        value, name, depth = waiting.pop()
        if isinstance(value, str):
            if "\x00" in value:
                raise InvalidJson(f"{_shown(name)} contains a NUL character.")
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise InvalidJson(f"{_shown(name)} contains half of a surrogate pair.")
        elif isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                raise InvalidJson(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
            inner = [*value.keys(), *value.values()] if isinstance(value, dict) else value
            waiting += [(item, name, depth + 1) for item in inner]


def _shown(name: str) -> str:
    """A member's name as far as an error message may repeat it."""
    return name[:40] if name.isascii() and name.isprintable() else "A member"
