"""The page behind a `connect_url`: what is asked, a button, and the result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from accounts.browser import ensure_browser, remember
from accounts.vault import vault
from accounts.vault.base import Session, SessionGone, VaultError
from authserver.connections import Ticket, read_ticket
from authserver.models import Client, Resource, ResourceUpstream
from authserver.people import signed_in
from authserver.responses import leave, page, private
from upstream import providers, visits
from upstream.errors import UpstreamError
from upstream.models import Visit


@dataclass(frozen=True)
class Asked:
    """A ticket, held against what is true now."""

    ticket: Ticket
    session: Session
    client: Client
    entry: ResourceUpstream

    @property
    def resource(self) -> Resource:
        return self.entry.resource

    @property
    def scopes(self) -> tuple[str, ...]:
        """The union of what the provider's row, the resource and the exchange ask for."""
        return providers.scopes_of(self.entry.provider, self.entry.scopes, self.ticket.scopes)


def look_up(ticket: Ticket, *, now: datetime) -> Asked | None:
    """What the ticket asks for, if its session lives and its resource still names the upstream."""
    try:
        session = vault().sessions.alive(ticket.tsid, now=now)
    except SessionGone:
        return None
    entry = (
        ResourceUpstream.objects.select_related("resource", "provider")
        .filter(resource__identifier=session.resource, provider__name=ticket.provider, provider__enabled=True)
        .first()
    )
    client = Client.objects.filter(client_id=session.client_id, disabled_at=None).first()
    return Asked(ticket, session, client, entry) if entry and client else None


@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def connect(request: HttpRequest, ticket: str) -> HttpResponse:
    """Show what is asked; on POST, go to the provider."""
    now = timezone.now()
    read = read_ticket(ticket)
    asked = look_up(read, now=now) if read else None
    if asked is None:
        return too_late(request)
    person = signed_in(request)
    if person is not None and person.pk != asked.session.user_id:
        return somebody_else(request, asked)
    if request.method != "POST":
        context = {
            "provider_title": asked.entry.provider.title,
            "resource_name": asked.resource.name,
            "resource_identifier": asked.resource.identifier,
            "client_name": asked.client.name,
            "client_is_proven": asked.client.identity_is_proven,
            "scopes": asked.scopes,
        }
        ensure_browser(request)
        return private(remember(request, render(request, "connect/connect.html", context)))
    if person is None and not asked.entry.provider.sign_in:
        return sign_in_first(request)
    try:
        url = visits.begin(
            request=request,
            provider=asked.entry.provider,
            purpose=Visit.Purpose.CONNECT if person else Visit.Purpose.SIGN_IN,
            scopes=asked.scopes,
            browser_hash=ensure_browser(request),
            return_path=reverse("connect-done", args=[ticket]),
            now=now,
            user_id=person.pk if person else None,
        )
    except UpstreamError:
        return failed(request, ticket)
    return remember(request, leave(request, url, provider_title=asked.entry.provider.title))


@require_http_methods(["GET", "HEAD"])
def done(request: HttpRequest, ticket: str) -> HttpResponse:
    """Back from the provider: say how it went. The vault was renewed by the sign-in itself."""
    read = read_ticket(ticket)
    now = timezone.now()
    asked = look_up(read, now=now) if read else None
    if asked is None:
        return too_late(request)
    state_hash = request.GET.get("visit", "")[:64]
    visit = Visit.objects.filter(pk=state_hash, return_path=request.path).first()
    person = signed_in(request)
    if visit is None or visit.outcome != Visit.Outcome.DONE:
        return failed(request, ticket)
    if person is None or person.pk != asked.session.user_id:
        return somebody_else(request, asked)
    if not covered(asked, now=now):
        return not_covered(request, asked)
    return page(
        request,
        status=200,
        heading=_("%(provider)s is connected") % {"provider": asked.entry.provider.title},
        explanation=_("%(resource)s can use it again. You can close this page and go back to the app.")
        % {"resource": asked.resource.name},
    )


def covered(asked: Asked, *, now: datetime) -> bool:
    """Whether the session may use what was renewed: linked to it, and approved for the scopes that were missing."""
    try:
        entry = vault().credentials.tokens(asked.ticket.tsid, asked.ticket.provider, now=now)
    except VaultError:
        return False
    return entry.credential.live and set(asked.ticket.scopes) <= set(entry.approved_scopes) & set(entry.tokens.scopes)


def not_covered(request: HttpRequest, asked: Asked) -> HttpResponse:
    return page(
        request,
        status=200,
        heading=_("%(provider)s is connected, but not to this sign-in") % {"provider": asked.entry.provider.title},
        explanation=_("The app was approved for less than it needs now, and that approval does not grow by itself."),
        steps=(_("In the app, disconnect %(resource)s and connect it again: you are then asked for all of it.")
               % {"resource": asked.resource.name},),
    )  # fmt: skip


def too_late(request: HttpRequest) -> HttpResponse:
    return page(
        request,
        status=400,
        heading=_("This link is no longer good"),
        explanation=_("It was made for one app's sign-in, and for fifteen minutes."),
        steps=(_("Go back to the app and try again what you were doing: it will show a new link if one is needed."),),
    )


def somebody_else(request: HttpRequest, asked: Asked) -> HttpResponse:
    return page(
        request,
        status=403,
        heading=_("This link is for another person"),
        explanation=_(
            "It renews the %(provider)s connection of whoever signed the app in, and that is not the "
            "account you are signed in with here."
        )
        % {"provider": asked.entry.provider.title},
        steps=(_("Open the link in the browser where you signed the app in."),),
    )


def sign_in_first(request: HttpRequest) -> HttpResponse:
    return page(
        request,
        status=403,
        heading=_("Sign in first"),
        explanation=_("To connect this account we have to know that it is you."),
        steps=(
            _("Open the link in the browser where you signed the app in."),
            _("Or remove the connection in the app and add it again."),
        ),
    )


def failed(request: HttpRequest, ticket: str) -> HttpResponse:
    return page(
        request,
        status=502,
        heading=_("The connection was not renewed"),
        explanation=_("The provider did not confirm it. What was stored before is untouched."),
        links={"retry_url": reverse("connect", args=[ticket]), "retry_label": _("Try again")},
    )
