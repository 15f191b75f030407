"""Who stands where at the console's door: outside, between the two steps, or in.

Between the steps nobody is signed in. The browser session says who has done the first step and for how long that counts,
so that a password alone opens nothing, here or elsewhere. Whoever is in came through this door: a browser session that
began anywhere else, such as at a provider for an app, says nothing here, whosever it is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

import django_otp
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.backends import PERSON_BACKEND
from accounts.browser_sessions import IN_CONSOLE_WITH, SIGNED_IN_WITH, UPSTREAM_SID
from accounts.models import User
from authserver import second_factor
from authserver.console import attempts, upstream_door
from authserver.models import Authenticator

PENDING = "console_pending"
PENDING_SECONDS = 600
ENTERED = "console_entered_at"
LONGEST_SECONDS = 12 * 3600
"""Whatever the lifetime of browser sessions is: an upstream's groups are read at the door."""
PROVED = "console_proved_at"
RECENT_SECONDS = 600
UPSTREAM_SECOND_FACTOR = "console_upstream_second_factor"
MAX_NEXT = 2048


@dataclass(frozen=True)
class Via:
    """The upstream that said who somebody is, its own session, whether it said that it asked for a second factor, and when
    it asked at all (seconds; 0 where it does not say)."""

    upstream: str
    sid: str = ""
    second_factor: bool = False
    asked_at: float = 0


@dataclass(frozen=True)
class Between:
    """Who has done the first step, with what, and where they go on once they are in."""

    user: User
    by: str
    next_url: str
    via: Via | None


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
    """Whether this signed-in operator came in here and has shown all that is asked of them, in this browser session."""
    user: Any = request.user
    if not 0 <= time.time() - request.session.get(ENTERED, 0) <= LONGEST_SECONDS:
        return False
    upstream = request.session.get(IN_CONSOLE_WITH)
    if upstream is not None and not upstream_door.leads_in(upstream):
        return False
    if getattr(user, "otp_device", None) is not None or not asked_of(user):
        return True
    return bool(request.session.get(UPSTREAM_SECOND_FACTOR)) and upstream_door.asks_for_second_factor(upstream)


def stop_between(request: HttpRequest, user: User, next_url: str, *, by: str, via: Via | None = None) -> None:
    """The first step is done; `by` says with what."""
    request.session[PENDING] = {
        "by": by,
        "user": str(user.pk),
        "proof": user.get_session_auth_hash(),
        "since": time.time(),
        "next": next_url,
        "via": via and asdict(via),
    }


def between(request: HttpRequest) -> Between | None:
    """Who has done the first step in this browser, and may go on."""
    pending = request.session.get(PENDING)
    if pending is None or not 0 <= time.time() - pending["since"] <= PENDING_SECONDS:
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True, is_staff=True).first()
    if user is None or not constant_time_compare(pending["proof"], user.get_session_auth_hash()):
        return None  # the password has been changed meanwhile
    return Between(user, pending["by"], pending["next"], _via(pending["via"]))


def first_step_done(
    request: HttpRequest, user: User, next_url: str, *, by: str, via: Via | None = None
) -> HttpResponse:
    """In, or on to the second step where it is asked of them."""
    if asked_of(user) and not (via is not None and via.second_factor):
        stop_between(request, user, next_url, by=by, via=via)
        return HttpResponseRedirect(reverse("admin:second-step"))
    let_in(request, user, None, by=by, via=via)
    return HttpResponseRedirect(next_url)


def let_in(
    request: HttpRequest, user: User, authenticator: Authenticator | None, *, by: str, via: Via | None = None
) -> None:
    """Into a new browser session. `by` says with what, for the audit trail."""
    for earlier in (PENDING, IN_CONSOLE_WITH, UPSTREAM_SECOND_FACTOR):
        request.session.pop(earlier, None)
    if via is not None and request.session.get(SIGNED_IN_WITH) != via.upstream:
        request.session.flush()  # it names one session of one upstream
    login(request, user, backend=PERSON_BACKEND)
    request.session[ENTERED] = time.time()
    proved(request)
    if via is not None:
        _came_from(request, via)
    if authenticator is not None:
        django_otp.login(request, authenticator)
        proved(request)
    attempts.entered(request, user, by=by)


def _came_from(request: HttpRequest, via: Via) -> None:
    """So that the upstream can sign them out here. Whoever is still signed in there has proved nothing by it just now."""
    request.session[IN_CONSOLE_WITH], request.session[UPSTREAM_SID] = via.upstream, via.sid
    request.session[UPSTREAM_SECOND_FACTOR] = via.second_factor
    request.session[PROVED] = min(via.asked_at, time.time())


def proved(request: HttpRequest) -> None:
    """A password, a code, a link or a sign-in that somebody was asked for, just now."""
    request.session[PROVED] = time.time()


def proved_recently(request: HttpRequest) -> bool:
    return bool(0 <= time.time() - request.session.get(PROVED, 0) <= RECENT_SECONDS)


def ask_again(request: HttpRequest, *, come_back_to: str = "") -> HttpResponse | None:
    """For what costs much when somebody else sits at an operator's browser: making secrets, turning and revoking keys,
    ending many sessions at once, forgetting people, taking the audit trail away.

    None where a proof is ten minutes old at most; else the way to the page that asks, and comes back by GET: to this one,
    or where this one takes no GET, to another. A view calls it once it knows that the operator may do it, and before it
    does anything.
    """
    if proved_recently(request):
        return None
    return HttpResponseRedirect(confirm_url(come_back_to or request.get_full_path()))


def confirm_url(next_url: str) -> str:
    """The page that asks, and comes back there."""
    return f"{reverse('admin:confirm')}?{urlencode({'next': next_url})}"


def next_within(request: HttpRequest, unverified_url: str) -> str:
    """Where to go on: an address of ours, else the console's first page."""
    hosts = {request.get_host()}
    if len(unverified_url) <= MAX_NEXT and url_has_allowed_host_and_scheme(
        unverified_url, allowed_hosts=hosts, require_https=request.is_secure()
    ):
        return unverified_url
    return reverse("admin:index")


def _via(kept: Mapping[str, Any] | None) -> Via | None:
    return None if kept is None else Via(**kept)
