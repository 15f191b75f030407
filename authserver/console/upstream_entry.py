"""Into the console through an upstream: the button, the way there, and what is said to whoever comes back in vain.

The same visit proves again who somebody is that is in already (`confirming`): then the upstream is told to ask them anew,
and has to say that it did. Who may in is decided where they come back, in `arrival`.
"""

from __future__ import annotations

from typing import cast

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.browser import browser_hash, ensure_browser, remember
from accounts.models import User
from authserver.console import arrival, attempts, entry, threshold, upstream_door
from authserver.responses import leave, private
from upstream import visits
from upstream.errors import UpstreamError
from upstream.models import Provider, Visit


@never_cache
@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """The button of the sign-in page."""
    next_url = threshold.next_within(request, request.POST.get("next", ""))
    return _leave(request, next_url, back="admin:upstream-back") or _refused(request, _nothing_came_back())


@never_cache
@require_GET
def back(request: HttpRequest) -> HttpResponse:
    """From the upstream: on to where they wanted to go, or what went wrong."""
    visit = _returned(request)
    if visit is None or visit.outcome != Visit.Outcome.DONE:
        return _refused(request, _nothing_came_back() if visit is None else in_words(visit))
    if admin.site.has_permission(request):
        return HttpResponseRedirect(request.session.pop(arrival.NEXT, reverse("admin:index")))
    return HttpResponseRedirect(reverse("admin:second-step" if threshold.between(request) else "admin:login"))


def begin_proof(request: HttpRequest, next_url: str) -> HttpResponse | None:
    """For who is in: the upstream asks them anew (OpenID Connect Core section 3.1.2.1). None where it cannot be reached."""
    return _leave(request, next_url, back="admin:confirm-back", person=cast(User, request.user))


@never_cache
@require_GET
def proof_back(request: HttpRequest) -> HttpResponse:
    """From there, for who is in."""
    visit, next_url = _returned(request), request.session.pop(arrival.NEXT, reverse("admin:index"))
    if visit is not None and visit.outcome == Visit.Outcome.DONE:
        return confirmed(request, next_url)
    messages.error(request, _nothing_came_back() if visit is None else in_words(visit))
    return HttpResponseRedirect(threshold.confirm_url(next_url))


def confirmed(request: HttpRequest, next_url: str) -> HttpResponse:
    """On to the page that asked, by GET: whatever was typed or pressed there is not done."""
    messages.success(request, _("Confirmed. What you wanted to do has not been done yet: do it now."))
    return HttpResponseRedirect(next_url)


def in_words(visit: Visit) -> str:
    """Why a visit let nobody in, for the person: no more than their own account there could tell them."""
    said = {
        "no_mapped_group": _("Your account at %(upstream)s is in none of the groups that open this console."),
        "operator_made_here": _(
            "This account was made an operator here, by hand, and %(upstream)s does not open the console for it."
        ),
        "no_second_factor": _("%(upstream)s did not say that you gave a second factor there, and that is needed here."),
        "not_asked_again": _("%(upstream)s did not say that it asked you to sign in just now. Nothing is confirmed."),
        "another_person": _("Somebody else signed in at %(upstream)s. Nothing is confirmed."),
        "user_inactive": _("This account is deactivated."),
    }
    if visit.reason in said:
        words = said[visit.reason]
    elif visit.outcome == Visit.Outcome.DENIED:
        words = _("You did not agree at %(upstream)s.")
    elif visit.outcome in {Visit.Outcome.NOT_ALLOWED, Visit.Outcome.NOT_THEM, Visit.Outcome.IN_USE}:
        words = _("Your account at %(upstream)s does not open this console.")
    else:
        words = _("Signing in at %(upstream)s did not work. Try again.")
    return words % {"upstream": visit.provider.title}


def _leave(request: HttpRequest, next_url: str, *, back: str, person: User | None = None) -> HttpResponse | None:
    provider = upstream_door.provider()
    if provider is None:
        return None
    try:
        attempts.count(request, None if person is None else person.get_username())
    except attempts.TooMany as too_many:
        return _refused(request, too_many.messages[0])
    try:
        url = _url(request, provider, back, person)
    except UpstreamError:
        return None
    request.session[arrival.NEXT] = next_url
    return private(remember(request, leave(request, url, provider_title=provider.title)))


def _url(request: HttpRequest, provider: Provider, back: str, person: User | None) -> str:
    chosen = upstream_door.sign_in()
    return visits.begin(
        request=request,
        provider=provider,
        purpose=Visit.Purpose.CONSOLE,
        scopes=(),
        browser_hash=ensure_browser(request),
        return_path=reverse(back),
        now=timezone.now(),
        user_id=None if person is None else person.pk,
        prompt="" if person is None else "login",
        max_age=None if person is None else 0,
        acr_values=" ".join(chosen.second_factor.get("acr", ())) if chosen else "",
    )


def _returned(request: HttpRequest) -> Visit | None:
    """The visit that this browser comes back from."""
    visit = visits.returned(request.GET.get("visit", ""), return_path=request.path)
    if visit is None or visit.purpose != Visit.Purpose.CONSOLE or visit.browser_hash != browser_hash(request):
        return None
    return visit


def _nothing_came_back() -> str:
    return _("Signing in there did not work. Try again.")


def _refused(request: HttpRequest, words: str) -> HttpResponse:
    return entry.refused(request, admin.site.each_context(request), words)
