"""How long a document holds, by its own headers and our bounds (RFC 9111 sections 4.2.1 and 5.2.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

AT_LEAST = timedelta(minutes=5)
AT_MOST = timedelta(hours=24)
UNSAID = timedelta(hours=1)
STALE_AT_MOST = timedelta(days=7)  # how long the last good document serves while newer ones cannot be had
BACK_OFF = timedelta(seconds=60)  # how long a URL that failed is left alone

_DIRECTIVE = re.compile(r'\s*([a-zA-Z-]{1,40})(?:\s*=\s*"?([0-9]{1,12})"?)?')


def lifetime(headers: Mapping[str, str], *, now: datetime) -> timedelta:
    """From now on, between `AT_LEAST` and `AT_MOST`. Headers that make no sense count as absent."""
    return min(max(_said(headers, now), AT_LEAST), AT_MOST)


def _said(headers: Mapping[str, str], now: datetime) -> timedelta:
    directives: dict[str, str | None] = {}
    for part in headers.get("Cache-Control", "")[:1024].split(","):
        if matched := _DIRECTIVE.match(part):
            directives.setdefault(matched[1].lower(), matched[2])
    if {"no-store", "no-cache", "private"} & directives.keys():
        return AT_LEAST
    for name in ("s-maxage", "max-age"):  # we are a shared cache
        if seconds := directives.get(name):
            return timedelta(seconds=int(seconds)) - _age(headers)
    expires = _date(headers.get("Expires"))
    if expires is not None:
        return expires - (_date(headers.get("Date")) or now)
    return AT_LEAST if "Expires" in headers else UNSAID  # an unreadable date is in the past, section 5.3


def _age(headers: Mapping[str, str]) -> timedelta:
    seconds = headers.get("Age", "")
    return timedelta(seconds=int(seconds)) if re.fullmatch("[0-9]{1,9}", seconds) else timedelta()


def _date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text or "")
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
