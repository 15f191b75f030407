"""What a knob may be set to. A wrong value is refused in words, so that no test trusts a typing error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


class BadKnob(ValueError):
    """A knob that does not exist, or a value it cannot take. The message is for the developer who sent it."""


@dataclass(frozen=True)
class Rule:
    """`wanted` completes "... must be"."""

    allows: Callable[[Any], bool]
    wanted: str


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_web_url(value: Any) -> bool:
    try:
        return isinstance(value, str) and urlsplit(value).scheme in {"http", "https"}
    except ValueError:
        return False


FLAG = Rule(lambda value: isinstance(value, bool), "true or false")
MERGE_PATCH = Rule(lambda value: isinstance(value, dict), "an object, merged into the answer (RFC 7396)")
WEB_URL = Rule(_is_web_url, "an http or https URL")
NAME = Rule(
    lambda value: isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9._~-]{0,64}", value) is not None,
    "at most 64 letters, digits, dots, dashes, underscores and tildes",
)
OAUTH_ERROR = Rule(
    lambda value: isinstance(value, dict) and isinstance(value.get("error"), str),
    'an object such as {"error": "invalid_grant", "error_description": "..."}',
)


TEXT = Rule(lambda value: isinstance(value, str) and 0 < len(value) < 256, "a text of 1 to 255 characters")
TEXTS = Rule(
    lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    "a list of texts",
)


def whole(at_least: int, at_most: int) -> Rule:
    return Rule(
        lambda value: isinstance(value, int) and not isinstance(value, bool) and at_least <= value <= at_most,
        f"a whole number from {at_least} to {at_most}",
    )


def number(at_most: float) -> Rule:
    return Rule(lambda value: _is_number(value) and 0 <= value <= at_most, f"a number from 0 to {at_most:g}")


def one_of(*choices: str) -> Rule:
    return Rule(lambda value: isinstance(value, str) and value in choices, f"one of {', '.join(choices)}")


def some_of(*choices: str) -> Rule:
    return Rule(
        lambda value: isinstance(value, list) and all(isinstance(one, str) and one in choices for one in value),
        f"a list of {', '.join(choices)}",
    )


def check(given: Any, rules: Mapping[str, Rule], allowed: Collection[str], where: str) -> dict[str, Any]:
    """`given` as an object whose members are `allowed` and follow `rules`; `where` opens the message."""
    if not isinstance(given, dict):
        raise BadKnob(f"{where} must be an object")
    for name, value in given.items():
        if name not in allowed:
            raise BadKnob(f"{where} has no {name!r}; it has {', '.join(sorted(allowed))}")
        if not rules[name].allows(value):
            raise BadKnob(f"{name!r} of {where} must be {rules[name].wanted}")
    return given


def parse(body: bytes) -> Any:
    """JSON that every database can store: no NaN, no NUL, no half of a surrogate pair."""
    try:
        document = json.loads(body)
        storable = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise BadKnob("the body is not JSON") from None
    if b"\\u0000" in storable:
        raise BadKnob("NUL cannot be stored")
    return document
