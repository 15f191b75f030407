"""The sections about the whole server, from `lifetimes` to `retention`, in the shape that `authserver.policy` reads."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from authserver.admission import MODES
from authserver.configuration import shapes
from authserver.configuration.reading import Fields, words
from authserver.policy import (
    MAX_ACCESS_TOKEN_SECONDS,
    Cimd,
    Lifetimes,
    Registration,
    Retention,
    Revocation,
    Sessions,
)

MINUTE, HOUR, DAY = 60, 3600, 86400
BOUNDS = {
    "access_token": (MINUTE, MAX_ACCESS_TOKEN_SECONDS),
    "refresh_idle": (5 * MINUTE, 366 * DAY),
    "refresh_absolute": (5 * MINUTE, 3 * 366 * DAY),
    "refresh_replay": (0, 10 * MINUTE),
    "code": (10, 10 * MINUTE),  # RFC 6749 s4.1.2: ten minutes at most
    "pending": (MINUTE, HOUR),
    "browser_session": (5 * MINUTE, 30 * DAY),
    "signing_key": (DAY, 3 * 366 * DAY),
}
MAX_CONTACT = 200


def lifetimes(fields: Fields) -> dict[str, int]:
    """Seconds; only what differs from the defaults."""
    defaults = asdict(Lifetimes())
    given = {name: fields.seconds(name, least=low, most=high) for name, (low, high) in BOUNDS.items()}
    fields.done()
    whole = {name: defaults[name] if seconds is None else seconds for name, seconds in given.items()}
    if whole["refresh_idle"] > whole["refresh_absolute"]:
        fields.problem(
            "refresh_idle",
            f"is longer than refresh_absolute ({words(whole['refresh_absolute'])})",
            "make it shorter, or refresh_absolute longer",
        )
    return {name: seconds for name, seconds in whole.items() if seconds != defaults[name]}


def registration(fields: Fields) -> dict[str, Any]:
    """Only what differs from the defaults."""
    mode = fields.text("mode", choices=MODES, default=Registration().mode)
    contact = fields.text("contact", longest=MAX_CONTACT)
    cimd = _cimd(fields)
    fields.done()
    kept: dict[str, Any] = {} if mode == Registration().mode else {"mode": mode}
    if contact:
        kept["contact"] = contact
    return {**kept, "cimd": cimd} if cimd else kept


def revocation(fields: Fields) -> dict[str, bool]:
    """Only what differs from the defaults."""
    given = {name: fields.flag(name, default=default) for name, default in asdict(Revocation()).items()}
    fields.done()
    return {name: value for name, value in given.items() if value != getattr(Revocation(), name)}


MOST_SESSIONS = 100_000


def sessions(fields: Fields) -> dict[str, int]:
    """Only what differs from the defaults."""
    given = {name: fields.number(name, least=0, most=MOST_SESSIONS) for name in asdict(Sessions())}
    fields.done()
    return {name: value for name, value in given.items() if value}


def retention(fields: Fields) -> dict[str, int]:
    """Seconds; only what is kept for a time, and not for ever."""
    given = {name: fields.seconds(name, least=DAY, most=100 * 366 * DAY) for name in asdict(Retention())}
    fields.done()
    return {name: seconds for name, seconds in given.items() if seconds}


def _cimd(entry: Fields) -> dict[str, Any]:
    fields = entry.fields("cimd")
    if fields is None:
        return {}
    defaults = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(Cimd()).items()}
    given = {
        "enabled": fields.flag("enabled", default=Cimd().enabled),
        "allow_private_network": fields.flag("allow_private_network", default=Cimd().allow_private_network),
        "allowed_hosts": list(fields.texts("allowed_hosts", check=shapes.host_pattern)),
        "denied_hosts": list(fields.texts("denied_hosts", check=shapes.host_pattern)),
    }
    fields.done()
    return {name: value for name, value in given.items() if value != defaults[name]}
