"""The browser sessions of a person: which are known, and their end. The one place that knows how far that reaches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import logout
from django.http import HttpRequest

from accounts import devices
from accounts.models import User
from authserver.people import SIGNED_IN_WITH, auth_time

REACHES_EVERY_BROWSER = False
"""Whether `sign_out` ends the person's sessions in other browsers too. Where it does not, the pages say so."""


@dataclass(frozen=True)
class BrowserSession:
    """`signed_in_with` is a provider's name."""

    device: str
    signed_in_with: str
    signed_in_at: datetime | None


def of_person(request: HttpRequest, person: User) -> list[BrowserSession]:
    """Those that are known: the one that asks."""
    device = devices.describe(request.headers.get("User-Agent", "")[:512])
    return [BrowserSession(device, str(request.session.get(SIGNED_IN_WITH, "")), auth_time(request))]


def sign_out(request: HttpRequest, person: User) -> None:
    """End this browser's session; others run out by themselves (`lifetimes.browser_session`)."""
    logout(request)
