"""Who a provider says somebody is, cleaned of what no column and no page can hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from upstream.errors import SignInRefused

MAX_SUBJECT = 255
MAX_NAME = 255
MAX_EMAIL = 254
_EMAIL = re.compile(r"[^\s@<>\"',;:\\()\[\]\x00-\x20\x7f]{1,64}@[^\s@<>\"',;:\\()\[\]\x00-\x20\x7f]{1,189}")
_NO_IDENTITY = {"none", "null", "undefined", "nil", "nan"}


@dataclass(frozen=True)
class Identity:
    """One person at one provider. `email` is empty unless the provider says it is verified.

    `subject` alone identifies; names, usernames and addresses change hands.
    """

    subject: str
    name: str = ""
    email: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


def subject(value: Any) -> str:
    """A usable subject: text, or the number that some APIs give. Raises `SignInRefused`."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise SignInRefused("subject_missing")
    if not value or value != value.strip() or len(value) > MAX_SUBJECT or not value.isprintable():
        raise SignInRefused("subject_malformed")
    if value.lower() in _NO_IDENTITY:
        # What a provider's own bug writes for nobody would be one account for everybody.
        raise SignInRefused("subject_malformed")
    return value


def name(value: Any) -> str:
    """A display name on one line, cut to what fits; empty where there is none."""
    if not isinstance(value, str):
        return ""
    return " ".join("".join(character if character.isprintable() else " " for character in value).split())[:MAX_NAME]


def email(value: Any, verified: Any) -> str:
    """The address, if it looks like one and the provider vouches for it: with true, or as some write it, "true"."""
    if not (verified is True or verified == "true") or not isinstance(value, str) or len(value) > MAX_EMAIL:
        return ""
    return value if _EMAIL.fullmatch(value) else ""


def at(source: Mapping[str, Any], path: str) -> Any:
    """The value under a claim's name, else at a dotted path (`authed_user.id`); None where there is none."""
    if path in source:
        return source[path]
    found: Any = source
    for step in path.split("."):
        if not isinstance(found, Mapping) or step not in found:
            return None
        found = found[step]
    return found


def first(sources: Sequence[Mapping[str, Any]], paths: Sequence[str]) -> Any:
    """The first value that is there, by path and then by source."""
    for path in paths:
        for source in sources:
            value = at(source, path)
            if value is not None and value != "":
                return value
    return None
