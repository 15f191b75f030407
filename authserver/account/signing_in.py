"""Visits to a provider from the person's own page: to sign in, or to renew a connection."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.browser import browser_hash, ensure_browser, remember
from accounts.models import Link, User
from accounts.vault import vault
from authserver import limits, policy
from authserver.account import overview, pages
from authserver.account.personal import personal, see_other
from authserver.addresses import client_address, network_of
from authserver.people import signed_in
from authserver.responses import leave, private
from upstream import providers, visits
from upstream.errors import UpstreamError
from upstream.models import Provider, Visit


@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    """To the chosen provider. Whoever is signed in already has nothing to choose."""
    if signed_in(request) is not None:
        return see_other("account")
    chosen = request.POST.get("provider", "")[:32]
    provider = next((one for one in providers.sign_in_providers() if one.name == chosen), None)
    if provider is None:
        return see_other("account")
    return _visit(request, provider, Visit.Purpose.SIGN_IN)


@require_POST
@personal
def reconnect(request: HttpRequest, person: User, provider: str) -> HttpResponse:
    """To a provider at which the person has a connection, for all that its tokens could do and the open sessions may."""
    held = vault().credentials.of_user(person.pk, provider)
    known = providers.by_name(provider)
    if not held or known is None:
        raise Http404
    links = Link.objects.filter(provider=provider, session__in=overview.open_sessions(person.pk, now=timezone.now()))
    approved = [scope.split() for scope in links.values_list("scope", flat=True)[: overview.MAX_SESSIONS]]
    scopes = providers.unique(*(credential.scopes for credential in held), *approved)
    return _visit(request, known, Visit.Purpose.CONNECT, scopes=scopes, user_id=person.pk)


@require_http_methods(["GET", "HEAD"])
def back(request: HttpRequest) -> HttpResponse:
    """From the provider: on to the page, or what went wrong."""
    visit = visits.returned(request.GET.get("visit", ""), return_path=request.path)
    if visit is None or visit.browser_hash != browser_hash(request):
        return pages.nothing_came_back(request)
    if visit.outcome != Visit.Outcome.DONE:
        return pages.of_visit(request, visit)
    if visit.purpose == Visit.Purpose.SIGN_IN:
        request.session.set_expiry(policy.current().lifetimes.browser_session)
        return see_other("account")
    person = signed_in(request)
    if person is None or person.pk != visit.user_id:
        return see_other("account")
    return pages.reconnected(request, visit.provider)


def _visit(
    request: HttpRequest,
    provider: Provider,
    purpose: Visit.Purpose,
    *,
    scopes: Sequence[str] = (),
    user_id: UUID | None = None,
) -> HttpResponse:
    wait_seconds = limits.hit("authorize", network_of(client_address(request)))
    if wait_seconds is not None:
        return pages.too_often(request, wait_seconds)
    try:
        url = visits.begin(
            request=request,
            provider=provider,
            purpose=purpose,
            scopes=scopes,
            browser_hash=ensure_browser(request),
            return_path=reverse("account-back"),
            now=timezone.now(),
            user_id=user_id,
        )
    except UpstreamError:
        return pages.failed(request, provider)
    return private(remember(request, leave(request, url, provider_title=provider.title)))
