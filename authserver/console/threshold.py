"""Who stands where at the console's door: outside, between the two steps, or in.

Between the steps nobody is signed in. The browser session says who has given the password and for how long that counts,
so that a password alone opens nothing, here or elsewhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import django_otp
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare

from accounts.models import User
from authserver import second_factor
from authserver.console import attempts
from authserver.models import Authenticator

PENDING = "console_pending"
PENDING_SECONDS = 600
PROVED = "console_proved_at"
RECENT_SECONDS = 600
BACKEND = "django.contrib.auth.backends.ModelBackend"


def asked_of(user: User) -> bool:
    """Whether a second factor is: of everybody where it is required, else of who has one. One statement at most."""
    if second_factor.required():
        return True
    known: bool | None = getattr(user, "_has_authenticator", None)
    if known is None:
        known = second_factor.of(user) is not None
        user._has_authenticator = known  # type: ignore[attr-defined]  # asked several times for one page
    return known


def crossed(request: HttpRequest) -> bool:
    """Whether this signed-in operator has shown all that is asked of them, in this browser session."""
    user: Any = request.user
    return getattr(user, "otp_device", None) is not None or not asked_of(user)


def stop_between(request: HttpRequest, user: User, next_url: str, *, by: str) -> None:
    """The first step is done; `by` says with what."""
    request.session[PENDING] = {
        "by": by,
        "user": str(user.pk),
        "proof": user.get_session_auth_hash(),
        "since": time.time(),
        "next": next_url,
    }


@dataclass(frozen=True)
class Between:
    """Who has done the first step, with what, and where they go on once they are in."""

    user: User
    by: str
    next_url: str


def between(request: HttpRequest) -> Between | None:
    """Who has done the first step in this browser, and may go on."""
    pending = request.session.get(PENDING)
    if pending is None or not 0 <= time.time() - pending["since"] <= PENDING_SECONDS:
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True, is_staff=True).first()
    if user is None or not constant_time_compare(pending["proof"], user.get_session_auth_hash()):
        return None  # the password has been changed meanwhile
    return Between(user, pending["by"], pending["next"])


def first_step_done(request: HttpRequest, user: User, next_url: str, *, by: str) -> HttpResponse:
    """In, or on to the second step where it is asked of them."""
    if asked_of(user):
        stop_between(request, user, next_url, by=by)
        return HttpResponseRedirect(reverse("admin:second-step"))
    let_in(request, user, None, by=by)
    return HttpResponseRedirect(next_url)


def let_in(request: HttpRequest, user: User, authenticator: Authenticator | None, *, by: str) -> None:
    """Into a new browser session. `by` says with what, for the audit trail."""
    request.session.pop(PENDING, None)
    login(request, user, backend=BACKEND)
    if authenticator is not None:
        django_otp.login(request, authenticator)
    proved(request)
    attempts.entered(request, user, by=by)


def proved(request: HttpRequest) -> None:
    """A password, a code or a link, just now."""
    request.session[PROVED] = time.time()


def proved_recently(request: HttpRequest) -> bool:
    return bool(0 <= time.time() - request.session.get(PROVED, 0) <= RECENT_SECONDS)


def ask_again(request: HttpRequest) -> HttpResponse | None:
    """For what costs much when somebody else sits at an operator's browser: making secrets, turning and revoking keys,
    ending many sessions at once, forgetting people.

    None where a proof is ten minutes old at most; else the way to the page that asks, and comes back to this one. A view
    calls it once it knows that the operator may do it, and before it does anything.
    """
    if proved_recently(request):
        return None
    return HttpResponseRedirect(f"{reverse('admin:confirm')}?{urlencode({'next': request.get_full_path()})}")
