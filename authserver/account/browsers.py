"""The browsers in which a person is signed in, and the end of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import logout
from django.http import HttpRequest

from accounts import browser_sessions, devices
from accounts.models import BrowserSession, User
from authserver.account.names import Names
from authserver.people import auth_time

MAX_BROWSERS = 20


@dataclass(frozen=True)
class Browser:
    """Device and moment of the sign-in are known of the browser that asks. `upstream` is empty for a password."""

    is_here: bool
    device: str
    upstream: str
    provider: str
    signed_in_at: datetime | None
    until: datetime


def rows_of(person: User, *, now: datetime) -> list[BrowserSession]:
    """One statement."""
    return browser_sessions.of_person(person.pk, now=now, limit=MAX_BROWSERS)


def described(request: HttpRequest, rows: Sequence[BrowserSession], names: Names) -> list[Browser]:
    """The one that asks first."""
    found = []
    for row in rows:
        is_here = row.session_key == request.session.session_key
        found.append(
            Browser(
                is_here=is_here,
                device=devices.describe(request.headers.get("User-Agent", "")[:512]) if is_here else "",
                upstream=row.signed_in_with,
                provider=names.provider(row.signed_in_with),
                signed_in_at=auth_time(request) if is_here else None,
                until=row.expire_date,
            )
        )
    return sorted(found, key=lambda browser: not browser.is_here)


def sign_out(request: HttpRequest, person: User, *, everywhere: bool) -> None:
    """End this browser's session, or all of the person's: on every host at once."""
    if everywhere:
        browser_sessions.end_all(person.pk)
    logout(request)
