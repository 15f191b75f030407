"""The callback: where providers send people back to (`/oauth/callback`, `/oauth/callback/<upstream>`).

The state decides which visit this is, the browser's cookie whether it is this browser's, the path whether it is this
provider's. A visit that is none of these is not touched and ends on a page; every other returns to whoever sent the
person, with its outcome in its row. An operator's test goes to `settings.UPSTREAM_TEST_VIEW`, and signs nobody in.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import structlog
from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache

from accounts import audit, metrics
from accounts.backends import PERSON_BACKEND
from accounts.browser_sessions import MAX_SID, SIGNED_IN_WITH, UPSTREAM_SID
from accounts.models import User
from upstream import visits
from upstream.callback_input import BadInput, parameters
from upstream.completion import complete
from upstream.errors import NotAllowed, SignInCancelled, UpstreamError
from upstream.models import Visit

log = structlog.get_logger(__name__)


@never_cache
def callback(request: HttpRequest, upstream: str = "") -> HttpResponse:
    """Finish one visit (RFC 6749 s4.1.2, RFC 9207)."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    try:
        data = parameters(request)
    except BadInput as error:
        return refused(request, f"bad_input: {error}", "")
    state = data.get("state", "")
    visit = visits.find(state)
    if visit is None:
        return refused(request, "state_unknown", upstream)
    if visit.language:  # what the app asked for, which is in no address here
        translation.activate(visit.language)
    is_test = visit.purpose == Visit.Purpose.TEST
    if not visits.is_at_home(visit, request):
        return refused(request, "another_session" if is_test else "another_browser", visit.provider.name)
    if is_test:
        answer: HttpResponse = import_string(settings.UPSTREAM_TEST_VIEW)(request, visit, state, data)
        return answer
    if request.path != urlsplit(visit.redirect_uri).path:
        return refused(request, "another_provider", visit.provider.name)
    if not visits.claim(visit, now=timezone.now()):
        return refused(request, "state_used_or_expired", visit.provider.name)
    try:
        user, claims = complete(visit, state, data, request)
    except UpstreamError as error:
        return _failed(visit, error)
    if visit.purpose == Visit.Purpose.SIGN_IN:
        _sign_in(request, user, visit, claims)
    visits.finish(visit, Visit.Outcome.DONE, user.pk)
    _record(visit, "ok", "", user)
    return _back(visit)


def _sign_in(request: HttpRequest, user: User, visit: Visit, claims: dict[str, Any]) -> None:
    """A new Django session: whatever this browser's old one was, nobody who knew it has this one."""
    login(request, user, backend=PERSON_BACKEND)
    now = int(time.time())
    signed_in_at = claims.get("auth_time")  # when the person really was asked, where the provider says so
    request.session["auth_time"] = now if signed_in_at is None else max(0, min(int(signed_in_at), now))
    request.session[SIGNED_IN_WITH] = visit.provider.name
    sid = claims.get("sid")  # the provider's own session, which it names when it signs them out there
    if isinstance(sid, str) and 0 < len(sid) <= MAX_SID and sid.isprintable():
        request.session[UPSTREAM_SID] = sid


_NOT_ALLOWED = {
    "identity_in_use": Visit.Outcome.IN_USE,
    "another_account_is_connected": Visit.Outcome.ANOTHER,
    "another_person": Visit.Outcome.NOT_THEM,
}


def _failed(visit: Visit, error: UpstreamError) -> HttpResponse:
    if isinstance(error, SignInCancelled):
        outcome, result = Visit.Outcome.DENIED, "refused"
    elif isinstance(error, NotAllowed):
        outcome, result = _NOT_ALLOWED.get(error.reason, Visit.Outcome.NOT_ALLOWED), "refused"
    else:
        outcome, result = Visit.Outcome.FAILED, "failed"
    visits.finish(visit, outcome, reason=error.reason)
    _record(visit, result, error.reason, None)
    return _back(visit)


def _record(visit: Visit, outcome: str, reason: str, user: User | None) -> None:
    metrics.SIGN_INS.count(visit.provider.name, visit.purpose, outcome)
    audit.record(
        "upstream.sign_in",
        outcome=outcome,
        reason=reason,
        user_id=user.id if user else visit.user_id,
        upstream=visit.provider.name,
        purpose=visit.purpose,
    )


def _back(visit: Visit) -> HttpResponse:
    parts = urlsplit(visit.return_path)
    query = "&".join(filter(None, [parts.query, urlencode({"visit": visit.state_hash})]))
    return HttpResponseRedirect(urlunsplit(("", "", parts.path, query, "")))


def refused(request: HttpRequest, reason: str, upstream: str) -> HttpResponse:
    """For a callback that belongs to nothing we can return to."""
    metrics.CALLBACKS_REFUSED.count(reason.partition(":")[0])
    log.warning("upstream.callback_refused", reason=reason, upstream=upstream[:32])
    return render(request, "upstream/error.html", {"reason": reason}, status=400)
