"""`/oauth/authorize/approval`: asking for an app's approval, and waiting for the answer in the same tab."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.browser import browser_hash
from authserver import admission, languages, limits
from authserver.addresses import client_address, network_of
from authserver.admission import Admission
from authserver.authorize import approval, pages
from authserver.authorize.request import AuthorizationRequest
from authserver.authorize.views import malformed, read_ticket, too_often, validated
from authserver.clients import known
from authserver.errors import OAuthError, json_response
from authserver.models import ApprovalRequest
from authserver.parameters import form
from authserver.responses import Redirect, private

ASKED = frozenset({"ticket", "note"})


@csrf_exempt  # the ticket is bound to the browser's cookie: nobody else's page can hold a valid one
@require_http_methods(["POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """The person asks, from the page that this browser was shown."""
    wait_seconds = limits.hit("approval", network_of(client_address(request)))
    if wait_seconds is not None:
        return too_often(request, wait_seconds)
    try:
        given = form(request, ASKED)
    except OAuthError as error:
        return malformed(request, error)
    ticket, now = read_ticket(request, given.get("ticket", "")), timezone.now()
    if isinstance(ticket, HttpResponse):
        return ticket
    asked = validated(request, ticket.raw, now=now)
    if isinstance(asked, HttpResponse):
        return asked
    if admission.of(asked.client, asked.resource) is not Admission.WAITS:
        return go_on(asked)
    waiting = approval.ask(request, asked, ticket, given.get("note", ""), now=now)
    return see(reverse("authorize-approval-wait", args=[waiting]))


@require_http_methods(["GET", "HEAD"])
def wait(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """How it stands: still waiting, or on with the client's own request, which says the rest."""
    waiting, now = find(request, request_id), timezone.now()
    if waiting is None:
        return pages.not_this_browser(request)
    languages.speak(waiting.parameters.get("ui_locales", ""))
    asked = validated(request, waiting.parameters, now=now)
    if isinstance(asked, HttpResponse):
        return asked
    if admission.of(asked.client, asked.resource) is not Admission.WAITS:
        return go_on(asked)
    if waiting.requested_at + approval.WAITS <= now:
        return pages.expired(request, waiting.parameters)
    return approval.wait(request, asked, waiting)


@require_http_methods(["GET"])
def state(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """For the waiting page's script: `waiting`, or `decided`, which is for the page itself to tell."""
    wait_seconds = limits.hit("approval_state", network_of(client_address(request)))
    if wait_seconds is not None:
        return json_response({"state": "waiting"}, 429, {"Retry-After": str(wait_seconds)})
    waiting = find(request, request_id)
    if waiting is None:
        return json_response({"state": "unknown"}, 404)
    client = known(waiting.client_id)
    is_open = client is not None and admission.of(client, waiting.resource) is Admission.WAITS
    late = waiting.requested_at + approval.WAITS <= timezone.now()
    return json_response({"state": "waiting" if is_open and not late else "decided"})


def find(request: HttpRequest, request_id: uuid.UUID) -> ApprovalRequest | None:
    """This browser's own request."""
    waiting = ApprovalRequest.objects.select_related("resource").filter(pk=request_id).first()
    return waiting if waiting is not None and waiting.browser_hash == browser_hash(request) else None


def go_on(asked: AuthorizationRequest) -> HttpResponse:
    """The client's request from its beginning: whatever there is to say now is said there."""
    return see(pages.start_again(asked.raw))


def see(url: str) -> HttpResponse:
    """303: a form was sent, and what comes now is another page of ours."""
    response = Redirect(url)
    response.status_code = 303
    return private(response)
