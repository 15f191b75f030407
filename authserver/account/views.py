"""The pages that only look."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import User
from authserver import receipts
from authserver.account import browsers, overview, trail
from authserver.account.personal import personal
from authserver.people import signed_in
from authserver.responses import private
from upstream import providers

LATELY = 5
MAX_ID = 2**63 - 1


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Everything at a glance; the choice of a sign-in where nobody is signed in."""
    person = signed_in(request)
    if person is None:
        return private(render(request, "account/sign_in.html", {"provider_choices": providers.sign_in_providers()}))
    now = timezone.now()
    rows = browsers.rows_of(person, now=now)
    found = overview.of_person(person, now=now, beside=[row.signed_in_with for row in rows])
    context = {
        "person": person.get_full_name(),
        "connections": found.connections,
        "apps": found.apps,
        "is_whole": found.is_whole,
        "browsers": browsers.described(request, rows, found.names),
        "lately": trail.told(found.recent, found.names, limit=LATELY),
    }
    return private(render(request, "account/home.html", context))


@require_safe
@personal
def activity(request: HttpRequest, person: User) -> HttpResponse:
    """What happened, a page at a time."""
    before = request.GET.get("before", "")
    at = int(before) if before.isascii() and before.isdigit() and len(before) < 20 else None
    page = trail.page(person.pk, before=None if at is None else min(at, MAX_ID))
    return render(request, "account/activity.html", {"page": page, "is_first": at is None})


@require_safe
@personal
def receipt(request: HttpRequest, person: User, receipt: UUID) -> HttpResponse:
    """What an ending of the person's own did, and what a provider is still to be told."""
    kept = receipts.find(receipt)
    own = [step for step in kept.steps if step.user_id == person.pk] if kept else []
    if kept is None or not own:
        raise Http404
    waiting = {queued.provider for queued in kept.queued if queued.user_id == person.pk}
    names = trail.names_in(own)
    context = {
        "steps": trail.told(own, names),
        "waiting": sorted(names.provider(name) for name in waiting),
    }
    return render(request, "account/receipt.html", context)
