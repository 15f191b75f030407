"""`/oauth/authorize`: validate, consent, sign in upstream, connect, code (behaviour.md, Authorize)."""

from __future__ import annotations

import uuid
from datetime import datetime
from urllib.parse import urlencode

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts import audit, metrics
from accounts.browser import browser_hash
from authserver import admission, languages, limits, policy, refusals, responses
from authserver.addresses import client_address, network_of
from authserver.admission import Admission
from authserver.authorize import approval, checks, consent, journey, obstacles, pages, ticket
from authserver.authorize.obstacles import Obstacle
from authserver.authorize.request import AuthorizationRequest
from authserver.authorize.responses import error_url
from authserver.authorize.upstreams import Connections, optional
from authserver.errors import OAuthError
from authserver.models import PendingAuthorization
from authserver.parameters import form, query
from authserver.people import is_recent_enough, signed_in
from authserver.refusals import Step
from authserver.responses import Redirect, leave, page, private
from upstream import visits
from upstream.models import Visit

DECISION = frozenset({"ticket", "decision", "provider"})
CONNECT = "connect."
"""Before the name of an optional upstream: a checkbox of the consent page. One that is not ticked is not sent."""
ON_THE_WAY = frozenset({"go_on_without", "try_again"})


@csrf_exempt  # the ticket is bound to the browser's cookie: nobody else's page can hold a valid one
@require_http_methods(["GET", "HEAD", "POST"])
def authorize(request: HttpRequest) -> HttpResponse:
    """A client's request (GET, or POST as OpenID Connect Core section 3.1.2.1 allows), or the answer to our page."""
    try:
        given = (
            form(request, checks.PARAMETERS | DECISION, prefix=CONNECT)
            if request.method == "POST"
            else query(request, checks.PARAMETERS)
        )
    except OAuthError as error:
        refusals.note_error(request, Step.AUTHORIZE, error, client_id=request.GET.get("client_id", ""))
        return malformed(request, error)
    languages.speak(given.get("ui_locales", ""))
    wait_seconds = limits.hit("authorize", network_of(client_address(request)))
    if wait_seconds is not None:
        return too_often(request, wait_seconds)
    if "ticket" in given:
        return decide(request, given)
    return start(request, {name: value for name, value in given.items() if name in checks.PARAMETERS})


def start(request: HttpRequest, raw: dict[str, str]) -> HttpResponse:
    """Check everything; then the consent page, unless this person has approved all of it before."""
    now = timezone.now()
    asked = checked(request, raw, now=now)
    if isinstance(asked, HttpResponse):
        return asked
    if request.method == "HEAD":  # whoever only looks begins nothing
        return consent.show(request, asked)
    person = signed_in(request)
    silent = "none" in asked.prompt
    usable = not asked.wants_new_sign_in and is_recent_enough(request, asked.max_age, now=now)
    if person is None or not usable or not asked.is_for(person):
        return (
            tell(request, asked, "login_required", "Nobody is signed in.") if silent else consent.show(request, asked)
        )
    skipped = consent.remembered(request, asked, person)
    if skipped is None:
        return (
            tell(request, asked, "consent_required", "The person has not approved this.")
            if silent
            else consent.show(request, asked)
        )
    if silent:
        skipped = skipped.union(optional(asked))  # nobody can be asked: what is not needed is left out
    if silent and Connections(person).missing(asked, skipped):
        return tell(request, asked, "interaction_required", "An upstream has to be connected.")
    browser = browser_hash(request)
    if browser is None:  # a session without the cookie that binds what follows
        return (
            tell(request, asked, "interaction_required", "The browser has to be known first.")
            if silent
            else consent.show(request, asked)
        )
    approval = ticket.Ticket(uuid.uuid4(), asked.raw, browser, str(person.pk))
    address = client_address(request)
    pending = journey.begin(asked, approval, skipped, address=address, as_before=True, now=now)
    return pages.gone(request) if pending is None else journey.advance(request, asked, pending, now=now)


def checked(request: HttpRequest, raw: dict[str, str], *, now: datetime) -> AuthorizationRequest | HttpResponse:
    """The request, valid and of an app that may reach its resource; or what answers it."""
    asked = validated(request, raw, now=now)
    if isinstance(asked, HttpResponse):
        return asked
    admitted = admission.of(asked.client, asked.resource)
    if admitted is Admission.ADMITTED:
        return asked
    if "none" in asked.prompt:
        return tell(request, asked, "access_denied", "The app has not been let in by the server's operator.")
    waits = admitted is Admission.WAITS
    refusals.note(request, Step.AUTHORIZE, "waits" if waits else "not_here", client_id=asked.client.client_id)
    return approval.show(request, asked) if waits else pages.not_here(request, asked)


def validated(request: HttpRequest, raw: dict[str, str], *, now: datetime) -> AuthorizationRequest | HttpResponse:
    """The request, valid in every part; or what answers it."""
    try:
        return checks.check(raw, now=now, network=network_of(client_address(request)))
    except limits.TooMany as reached:
        return too_often(request, reached.wait_seconds)
    except checks.Unanswerable as problem:
        known = problem.client.client_id if problem.client else raw.get("client_id", "")
        refusals.note(request, Step.AUTHORIZE, problem.problem, reason=problem.reason, client_id=known)
        return pages.unanswerable(request, problem)
    except checks.Refused as refused:
        client_id = refused.destination.client.client_id
        refusals.note_error(request, Step.AUTHORIZE, refused.error, client_id=client_id)
        return leave(request, error_url(refused.destination, refused.error), is_error=True)


def decide(request: HttpRequest, given: dict[str, str]) -> HttpResponse:
    """The person's answer, from the very page that this browser was shown."""
    now = timezone.now()
    answer = read_ticket(request, given["ticket"])
    if isinstance(answer, HttpResponse):
        return answer
    asked = checked(request, answer.raw, now=now)
    if isinstance(asked, HttpResponse):
        return asked
    person = signed_in(request)
    if answer.person != (str(person.pk) if person else ""):
        return consent.show(request, asked)  # somebody else is here now: it is theirs to approve
    if given.get("decision") == "deny":
        metrics.AUTHORIZATIONS.count("denied")
        audit.record("authorization.denied", outcome="refused", reason="person", client_id=asked.client.client_id,
                     user_id=person.pk if person else None, resource=asked.resource.identifier,
                     address=client_address(request))  # fmt: skip
        return tell(request, asked, "access_denied", "The person did not approve.")
    if given.get("decision") != "approve" or answer.shown != consent.digest(asked):
        return consent.show(request, asked)  # what changed since is theirs to read first
    skipped = [name for name in answer.offered if f"{CONNECT}{name}" not in given]
    pending = journey.begin(asked, answer, skipped, address=client_address(request), now=now)
    if pending is None:
        return pages.gone(request)
    if pending.finished_at is not None:
        return pages.already_answered(request)
    return journey.advance(request, asked, pending, now=now, chosen=given.get("provider", ""))


@csrf_exempt  # the cookie that it is bound to is sent by our own pages only (SameSite)
@require_http_methods(["GET", "POST"])
def resume(request: HttpRequest, pending_id: uuid.UUID) -> HttpResponse:
    """Back from a provider, or from the page about one: see how it went, and take the next step."""
    now = timezone.now()
    pending = PendingAuthorization.objects.filter(pk=pending_id).first()
    if pending is not None:
        languages.speak(pending.parameters["raw"].get("ui_locales", ""))
    if pending is None or browser_hash(request) != pending.browser_hash:
        client_id = pending.client.client_id if pending else ""
        refusals.note(request, Step.AUTHORIZE, "not_this_browser", client_id=client_id)
        return pages.not_this_browser(request)
    if pending.finished_at is not None:
        return pages.already_answered(request)
    if pending.expires_at <= now:
        refusals.note(request, Step.AUTHORIZE, "expired", client_id=pending.client.client_id)
        return pages.expired(request, pending.parameters["raw"])
    asked = checked(request, pending.parameters["raw"], now=now)
    if isinstance(asked, HttpResponse):
        return asked
    try:
        given = form(request, ON_THE_WAY) if request.method == "POST" else {}
    except OAuthError as error:
        return malformed(request, error)
    if request.method == "POST":
        journey.decided(pending, asked, given)
        return journey.advance(request, asked, pending, now=now)
    visit = visited(request)
    if visit is None:
        return journey.advance(request, asked, pending, now=now)
    if visit.outcome == Visit.Outcome.DONE:
        request.session.set_expiry(policy.current().lifetimes.browser_session)
        journey.came_back(pending, visit, signed_in(request))
        return journey.advance(request, asked, pending, now=now)
    met = Obstacle(request, asked, pending, visit.provider, Visit.Purpose(visit.purpose))
    if visit.outcome == Visit.Outcome.DENIED and not met.may_be_left_out:
        return tell(request, asked, "access_denied", "The person did not sign in at the identity provider.")
    return obstacles.of_visit(met, visit.outcome)


@csrf_exempt  # as above: the ticket is bound to the browser
@require_http_methods(["POST"])
def switch(request: HttpRequest) -> HttpResponse:
    """ "Not you?": sign out here, and ask the provider which account it shall be."""
    try:
        given = form(request, DECISION)
    except OAuthError as error:
        return malformed(request, error)
    answer = read_ticket(request, given.get("ticket", ""))
    if isinstance(answer, HttpResponse):
        return answer
    logout(request)
    response = Redirect(f"{reverse('authorize')}?{urlencode({**answer.raw, 'prompt': 'select_account'})}")
    response.status_code = 303
    return private(response)


def read_ticket(request: HttpRequest, unverified: str) -> ticket.Ticket | HttpResponse:
    """The ticket of the page this browser was shown, or the page that says why there is none."""
    try:
        found = ticket.loads(unverified, max_age_seconds=policy.current().lifetimes.pending)
    except ticket.Expired as late:
        languages.speak(late.raw.get("ui_locales", ""))
        refusals.note(request, Step.AUTHORIZE, "expired", client_id=late.raw.get("client_id", ""))
        return pages.expired(request, late.raw)
    if found is not None:
        languages.speak(found.raw.get("ui_locales", ""))
    if found is None or browser_hash(request) != found.browser_hash:
        client_id = found.raw.get("client_id", "") if found else ""
        refusals.note(request, Step.AUTHORIZE, "not_this_browser", client_id=client_id)
        return pages.not_this_browser(request)
    return found


def visited(request: HttpRequest) -> Visit | None:
    """The visit that this return belongs to: one of this very journey."""
    return visits.returned(request.GET.get("visit", ""), return_path=request.path)


def tell(request: HttpRequest, asked: AuthorizationRequest, error: str, description: str) -> HttpResponse:
    """An error for the client, at its redirect URI."""
    told = OAuthError(error, description)
    refusals.note_error(request, Step.AUTHORIZE, told, client_id=asked.client.client_id)
    url = error_url(asked.destination, told)
    return leave(request, url, app_name=asked.client.name, is_error=True)


def malformed(request: HttpRequest, error: OAuthError) -> HttpResponse:
    return page(
        request,
        status=400,
        heading=_("The app's request cannot be read"),
        explanation=_("What the app sent is damaged or incomplete. Nothing was approved."),
        steps=(
            _("Go back to the app and connect again."),
            _("If it happens again, tell the people who make the app what stands below."),
        ),
        details=((_("Reason"), error.description),),
    )


def too_often(request: HttpRequest, wait_seconds: int) -> HttpResponse:
    return responses.too_often(request, wait_seconds, heading=_("Too many sign-ins from your network"), reloads=True)
