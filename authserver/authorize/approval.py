"""An app that waits for an operator: the page that says who decides, the person's note, and how the same tab goes on.

A request for approval is one row for each browser, app and resource. It holds the client's own request, so that the tab
goes on with just that once the operator has decided. Looking at the page leaves nothing behind; asking does.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts import audit
from accounts.browser import ensure_browser, remember
from authserver import policy
from authserver.addresses import client_address
from authserver.authorize.pages import back
from authserver.authorize.request import AuthorizationRequest
from authserver.authorize.ticket import Ticket
from authserver.conf import load
from authserver.models import App, ApprovalRequest
from authserver.people import signed_in
from authserver.responses import private

WAITS = timedelta(days=1)
"""So long a tab that stays open goes on by itself. The queue shows who asked for as long as the app is undecided."""
KEPT = timedelta(days=30)
MAX_NOTE = 500
MAX_REQUESTS = 200
"""Of one app: what more people ask changes nothing for whoever decides."""


def show(request: HttpRequest, asked: AuthorizationRequest) -> HttpResponse:
    """The page that says the app waits, and offers to ask. Writes nothing."""
    person = signed_in(request)
    ticket = Ticket(uuid.uuid4(), asked.raw, ensure_browser(request), str(person.pk) if person else "")
    response = render(
        request,
        "authorize/approval.html",
        {**about(asked), "form_action": reverse("authorize-approval"), "ticket": ticket.dumps(), "max_note": MAX_NOTE},
        status=403,
    )
    return private(remember(request, response))


def ask(request: HttpRequest, asked: AuthorizationRequest, ticket: Ticket, note: str, *, now: datetime) -> uuid.UUID:
    """Put the person into the operator's queue, once a browser; what they write the next time replaces it."""
    person, app, address = signed_in(request), asked.client.app, client_address(request)
    user_id = person.pk if person else None
    whose = {"app": app, "resource": asked.resource, "browser_hash": ticket.browser_hash}
    said = {
        "user_id": user_id,
        "client_id": asked.client.client_id,
        "note": " ".join(note.split())[:MAX_NOTE],
        "address": address,
        "parameters": asked.raw,
        "requested_at": now,
        "expires_at": now + KEPT,
    }
    if _too_many(app) and not ApprovalRequest.objects.filter(**whose).exists():
        said |= {"note": "", "expires_at": now + WAITS}
    try:
        with transaction.atomic():
            found, is_new = ApprovalRequest.objects.update_or_create(**whose, defaults=said)
            if is_new:
                audit.record("app.approval_requested", user_id=user_id, client_id=asked.client.client_id,
                             resource=asked.resource.identifier, address=address, now=now, app=str(app.pk))  # fmt: skip
    except IntegrityError:  # the same browser asked twice at once
        found = ApprovalRequest.objects.get(**whose)
    return found.pk


def _too_many(app: App) -> bool:
    return ApprovalRequest.objects.filter(app=app)[:MAX_REQUESTS].count() >= MAX_REQUESTS


def wait(request: HttpRequest, asked: AuthorizationRequest, waiting: ApprovalRequest) -> HttpResponse:
    """Asked, and not decided yet: the page that goes on by itself where scripts may run, and says how where not."""
    own = reverse("authorize-approval-wait", args=[waiting.pk])
    context = {**about(asked), "note": waiting.note, "waiting_url": own, "state_url": f"{own}/state"}
    return private(render(request, "authorize/waiting.html", context))


def about(asked: AuthorizationRequest) -> dict[str, Any]:
    """What both pages say."""
    return {
        "client_name": asked.client.name,
        "client_place": asked.client.app.place if asked.client.app.kind == App.Kind.CIMD else "",
        "resource_name": asked.resource.name,
        "contact": policy.current().registration.contact,
        "server_host": urlsplit(load().issuer).hostname,
        **back(asked, "access_denied", "The app waits for the approval of the server's operator."),
    }
