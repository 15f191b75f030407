"""How often somebody may try to get into the console, and what the trail says of it.

Counted for the account's name and for the network, each on its own: guessing from everywhere at one account stops, and so
does guessing from one place at many. A name counts whether there is such an account or not, so nothing is told by it.
"""

from __future__ import annotations

import unicodedata

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import ngettext

from accounts import audit
from accounts.models import User
from authserver import limits
from authserver.addresses import client_address, network_of

LIMIT = "admin_login"


class TooMany(ValidationError):
    """Words for a form; the seconds to wait for `Retry-After`."""

    def __init__(self, wait_seconds: int) -> None:
        words = ngettext(
            "Too many attempts. Try again in %d second.", "Too many attempts. Try again in %d seconds.", wait_seconds
        )
        super().__init__(words % wait_seconds, code="too_many")
        self.wait_seconds = wait_seconds


def count(request: HttpRequest, username: str | None) -> None:
    """One more attempt. Raises `TooMany`; a network that is stopped no longer counts against the names it tries."""
    keys = [f"network {network_of(client_address(request))}"]
    if username is not None:
        keys.append(f"name {unicodedata.normalize('NFKC', username).strip().casefold()}")
    for key in keys:
        wait_seconds = limits.hit(LIMIT, key)
        if wait_seconds is not None:
            request.console_wait_seconds = wait_seconds  # type: ignore[attr-defined]  # from here to `answered`
            raise TooMany(wait_seconds)


def answered(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The page with what `count` raised on it, as RFC 6585 section 4 has it."""
    wait_seconds = getattr(request, "console_wait_seconds", None)
    if wait_seconds is not None:
        response.status_code = 429
        response["Retry-After"] = str(wait_seconds)
    return response


def refused(request: HttpRequest, username: str, *, reason: str) -> None:
    """Names nobody who is not there: people type passwords into the wrong field."""
    user = User.objects.filter(username=username).first()
    audit.record(
        "console.login_failed",
        outcome="refused",
        reason=reason,
        actor=user.get_username() if user else "",
        user_id=user.pk if user else None,
        address=client_address(request),
    )


def turned_away(request: HttpRequest, user: User | None, *, reason: str, upstream: str) -> None:
    """Somebody who has shown at an upstream who they are, and may not in."""
    audit.record(
        "console.login_failed",
        outcome="refused",
        reason=reason,
        actor=user.get_username() if user else "",
        user_id=user.pk if user else None,
        upstream=upstream,
        address=client_address(request),
    )


def entered(request: HttpRequest, user: User, *, by: str) -> None:
    """Somebody is in; `by` says with what."""
    audit.record(
        "console.login", actor=user.get_username(), user_id=user.pk, address=client_address(request), reason=by
    )
