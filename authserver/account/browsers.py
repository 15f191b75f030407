"""The browser sessions of a person: which are known, and their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import logout
from django.http import HttpRequest

from accounts import browser_sessions, devices
from accounts.browser_sessions import SIGNED_IN_WITH
from accounts.models import User
from authserver.people import auth_time


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
    """End their session in every browser, this one's too."""
    browser_sessions.end_all(person.pk)
    logout(request)
