"""The page behind a `connect_url`: what is asked, a button, the way to the provider and back, and the result."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from accounts.browser import browser_hash, ensure_browser, remember
from accounts.vault.base import NotConnected
from authserver import limits, policy
from authserver.addresses import client_address, network_of
from authserver.connect import pages
from authserver.connect.asked import Asked, is_theirs, look_up
from authserver.connect.finish import SessionEnded, UsedUp, finish, is_used_up, take, taken
from authserver.connections import read_ticket
from authserver.models import PendingConnection
from authserver.people import signed_in
from authserver.responses import Redirect, leave, private
from upstream import visits
from upstream.errors import UpstreamError
from upstream.models import Provider, Visit


@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def connect(request: HttpRequest, ticket: str) -> HttpResponse:
    """Show what is asked; on POST, take the link and go on. A GET uses nothing up: mail scanners open links too."""
    now = timezone.now()
    asked = asked_by(ticket, now=now)
    if asked is None:
        return pages.too_late(request)
    if is_used_up(asked.ticket.id, browser_hash(request)):
        return pages.used_up(request)
    person = signed_in(request)
    if person is not None and not is_theirs(asked, person):
        return pages.somebody_else(request, asked, ticket)
    choices = [] if person else asked.sign_in_choices()
    if person is None and not choices:
        return pages.nowhere_to_sign_in(request, asked)
    if request.method != "POST":
        response = render(request, "connect/connect.html", pages.context(asked, person, choices))
        ensure_browser(request)
        return private(remember(request, response))
    wait_seconds = limits.hit("authorize", network_of(client_address(request)))
    if wait_seconds is not None:
        return pages.too_often(request, wait_seconds)
    try:
        row = take(asked.ticket, ensure_browser(request), now=now)
    except UsedUp:
        return pages.used_up(request)
    chosen = request.POST.get("provider", "")[:32]
    return remember(request, go_on(request, asked, row, ticket, chosen=chosen, now=now))


@require_http_methods(["GET", "HEAD"])
def back(request: HttpRequest, ticket: str) -> HttpResponse:
    """From a provider: see how it went, and take the next step."""
    now = timezone.now()
    asked = asked_by(ticket, now=now, on_the_way=True)
    if asked is None:
        return pages.too_late(request)
    try:
        row = taken(asked.ticket.id, browser_hash(request))
    except UsedUp:
        return pages.used_up(request)
    if row.expires_at <= now:
        return pages.too_late(request)
    visit = visits.returned(request.GET.get("visit", ""), return_path=request.path)
    if visit is None:
        return pages.failed(request, asked, ticket)
    if visit.outcome != Visit.Outcome.DONE:
        return pages.of_visit(request, asked, ticket, visit)
    if visit.purpose == Visit.Purpose.SIGN_IN:
        request.session.set_expiry(policy.current().lifetimes.browser_session)
    person = signed_in(request)
    if person is None or not is_theirs(asked, person):
        return pages.somebody_else(request, asked, ticket)
    if visit.provider.pk == asked.provider.pk:
        return complete(request, asked, row, ticket, now=now)
    return go_on(request, asked, row, ticket, now=now)


@csrf_protect
@require_POST
def switch(request: HttpRequest, ticket: str) -> HttpResponse:
    """Sign out here, and show the link's page to whoever signs in next."""
    logout(request)
    response = Redirect(reverse("connect", args=[ticket]))
    response.status_code = 303
    return private(response)


def asked_by(unverified: str, *, now: datetime, on_the_way: bool = False) -> Asked | None:
    """What a link asks for now. `on_the_way`: it has been taken, and its row says how long that is good for."""
    read = read_ticket(unverified, max_age_seconds=None) if on_the_way else read_ticket(unverified)
    return look_up(read, now=now) if read else None


def go_on(
    request: HttpRequest, asked: Asked, row: PendingConnection, ticket: str, *, now: datetime, chosen: str = ""
) -> HttpResponse:
    """The next step: a sign-in if nobody is here, the visit if anything is missing, else the end."""
    if signed_in(request) is not None:
        if asked.why == "lend":
            return complete(request, asked, row, ticket, now=now)
        return visit(request, asked, asked.provider, Visit.Purpose.CONNECT, ticket, now=now)
    choices = asked.sign_in_choices()
    provider = next((one for one in choices if one.name == chosen), choices[0] if choices else None)
    if provider is None:
        return pages.nowhere_to_sign_in(request, asked)
    return visit(request, asked, provider, Visit.Purpose.SIGN_IN, ticket, now=now)


def visit(
    request: HttpRequest, asked: Asked, provider: Provider, purpose: Visit.Purpose, ticket: str, *, now: datetime
) -> HttpResponse:
    """Send the browser to a provider. A sign-in there is for the link's own person and makes no other."""
    try:
        url = visits.begin(
            request=request,
            provider=provider,
            purpose=purpose,
            scopes=asked.scopes if provider.pk == asked.provider.pk else (),
            browser_hash=ensure_browser(request),
            return_path=reverse("connect-back", args=[ticket]),
            now=now,
            user_id=asked.ticket.user_id,
        )
    except UpstreamError:
        return pages.failed(request, asked, ticket)
    return leave(request, url, provider_title=provider.title)


def complete(request: HttpRequest, asked: Asked, row: PendingConnection, ticket: str, *, now: datetime) -> HttpResponse:
    """Link the session to what the person holds there now, and say how it went."""
    if asked.held is None or not asked.held.live:
        return pages.failed(request, asked, ticket)
    try:
        finish(request, asked, row, now=now)
    except UsedUp:
        return pages.used_up(request)
    except SessionEnded:
        return pages.too_late(request)
    except NotConnected:  # its last session ended just now, and it with it
        return pages.failed(request, asked, ticket)
    return pages.granted_too_little(request, asked, ticket) if asked.lacking else pages.connected(request, asked)
