"""A provider's "Test sign-in": a real one, by an operator, that ends on what came and keeps none of it.

It begins with a POST from the console, goes the way that people's sign-ins go, and comes back to the same callback.
`upstream.views` hands it to `finish` only in the browser and the console session that began it. There it is used up, and
its answer is the page itself: claims, tokens and codes reach no row, no cookie and no other address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.admin_base import ConsoleAdmin, actor, row_for
from accounts.browser import ensure_browser, remember, session_hash
from accounts.models import User
from authserver.addresses import client_address
from authserver.console import threshold
from authserver.console.providers import findings
from authserver.doctor.findings import worst
from authserver.responses import leave, private
from upstream import trial, views, visits
from upstream.errors import SignInCancelled, SignInRefused, UpstreamError
from upstream.models import Provider, Visit
from upstream.providers import callback_url
from upstream.trial import Trial

LIFETIME_SECONDS = 600
PERMISSION = "upstream.change_provider"
"""A test sends our secret there, and shows what people there are known by."""


def show(model_admin: ConsoleAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """GET says what will happen, POST begins. One that is switched off too: that is how it is tried before anybody meets it."""
    provider = row_for(model_admin, request, object_id, allowed=model_admin.has_change_permission(request))
    if asked := threshold.ask_again(request):
        return asked
    return _begin(request, provider) if request.method == "POST" else _page(request, provider)


def _begin(request: HttpRequest, provider: Provider) -> HttpResponse:
    ensure_browser(request)
    try:
        url = visits.begin(
            provider=provider,
            purpose=Visit.Purpose.TEST,
            scopes=(),
            browser_hash=session_hash(request) or "",  # never empty here: who is signed in has a session
            return_path=_address(provider),
            now=timezone.now(),
            request=request,
            user_id=cast(User, request.user).pk,
            lifetime_seconds=LIFETIME_SECONDS,
        )
    except UpstreamError as error:
        _record(request, provider, error)
        return _page(request, provider, found=[findings.of_failure(provider, error)])
    return remember(request, leave(request, url, provider_title=provider.title))


def finish(request: HttpRequest, visit: Visit, state: str, data: Mapping[str, str]) -> HttpResponse:
    """The end of a test whose browser and session `upstream.views` has checked: whether this operator may still, then once."""
    provider = visit.provider
    may = admin.site.has_permission(request) and request.user.has_perm(PERMISSION)
    if not may or cast(User, request.user).pk != visit.user_id:
        return views.refused(request, "another_session", provider.name)
    if not visits.claim(visit, now=timezone.now()):
        return _page(request, provider, is_over=True)
    if request.path != urlsplit(visit.redirect_uri).path:
        tried = Trial(tuple(visit.scopes), error=SignInRefused("another_callback", provider=provider.name))
    else:
        tried = trial.conclude(visit, state, data, request, now=timezone.now())
    visits.finish(visit, _outcome(tried))
    _record(request, provider, tried.error, revoked=tried.revoked)
    return _page(request, provider, found=findings.of(provider, tried), claims=tried.claims, is_done=True)


def _outcome(tried: Trial) -> Visit.Outcome:
    if isinstance(tried.error, SignInCancelled):
        return Visit.Outcome.DENIED
    return Visit.Outcome.DONE if tried.error is None else Visit.Outcome.FAILED


def _record(request: HttpRequest, provider: Provider, error: UpstreamError | None, **detail: Any) -> None:
    """Who tried which provider, and how it went: not who they are there."""
    audit.record(
        "console.sign_in_tested",
        outcome="ok" if error is None else "refused" if isinstance(error, SignInCancelled) else "failed",
        reason=error.reason if error else "",
        actor=actor(request),
        user_id=cast(User, request.user).pk,
        upstream=provider.name,
        address=client_address(request),
        **detail,
    )


def _page(request: HttpRequest, provider: Provider, **said: Any) -> HttpResponse:
    found = said.get("found", [])
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Test sign-in at %(provider)s") % {"provider": provider.title},
        "opts": Provider._meta,
        "object": provider,
        "callback": callback_url(provider),
        "begin_url": _address(provider),
        "findings": found,
        "status": worst(found),
        **said,
    }
    response = private(TemplateResponse(request, "admin/test_sign_in.html", context).render())
    response["Referrer-Policy"] = "strict-origin"  # the callback's own address holds a code, even if it is used up
    return response


def _address(provider: Provider) -> str:
    return reverse("admin:upstream_provider_test_sign_in", args=[provider.pk])
