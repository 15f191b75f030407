"""Registrations that nobody uses: installations come and go, and register anew each time.

A client that was never approved goes after a week, one that nobody has approved for 90 days and that has no open session
then (behaviour.md, Numbers). Of registrations of the same metadata from the same place that were never approved, ten stay.
A client known by its document goes when the document is a week old and nobody has approved it.
A client that was used and is disabled stays: that is an operator's word. So does an app that an operator has decided about
or written something on, or that they merged, with or without registrations; one without any of that goes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, ProtectedError, QuerySet

from accounts import audit
from accounts.vault import vault
from authserver import redirects
from authserver.client_metadata import ClientMetadata
from authserver.models import App, AppNote, Client, Consent, PendingAuthorization

NEVER_USED_KEPT = timedelta(days=7)
UNUSED_KEPT = timedelta(days=90)
DOCUMENT_KEPT = timedelta(days=7)
"""So long after its last fetch a metadata document may still serve (`cimd.freshness`); after it the row is a copy of
nothing, which whoever comes next fetches anew."""
LIKE_KEPT = 10
LIKE_KEPT_FOR = timedelta(hours=1)
"""So long each of them may still be on its way to its first approval."""


def likeness(metadata: ClientMetadata, network: str) -> str:
    """What registrations of the same metadata from the same network have in common, whatever loopback port they name."""
    fields = metadata.fields()
    fields["redirect_uris"] = sorted({redirects.without_port(uri) for uri in metadata.redirect_uris})
    return hashlib.sha256(json.dumps([fields, network], sort_keys=True).encode()).hexdigest()


def remove_unused(*, now: datetime, limit: int) -> Counter[str]:
    """Remove `limit` clients at most, the oldest first: how many."""
    never = _unapproved(now).filter(created__lte=now - NEVER_USED_KEPT).order_by("created")
    removed = _remove(never[:limit], "never_used", now)
    for find, reason in ((_unused, "unused"), (_alike, "registered_again"), (_old_documents, "old_document")):
        if removed < limit:
            removed += _remove(find(now, limit - removed), reason, now)
    if removed < limit:
        removed += _remove_empty_apps(now, limit - removed)
    return +Counter(removed=removed)  # without a zero


def _self_registered() -> QuerySet[Client]:
    found: QuerySet[Client] = Client.objects.filter(registration_source=Client.RegistrationSource.DCR)
    return found


def _unapproved(now: datetime) -> QuerySet[Client]:
    """Never approved, and nobody is looking at its consent page."""
    under_way = PendingAuthorization.objects.filter(client=OuterRef("pk"), expires_at__gt=now)
    return _self_registered().filter(last_used_at=None).exclude(Exists(under_way))


def _unused(now: datetime, limit: int) -> list[Client]:
    idle = _self_registered().filter(last_used_at__lte=now - UNUSED_KEPT, disabled_at=None).order_by("last_used_at")
    return [
        client for client in idle[: 2 * limit] if not any(vault().sessions.of_clients([client.client_id], limit=1))
    ][:limit]


def _alike(now: datetime, limit: int) -> list[Client]:
    """Of each kind that there are too many of, those beyond the newest `LIKE_KEPT`."""
    counted = _unapproved(now).exclude(likeness="").values("likeness").annotate(count=Count("pk"))
    found: list[Client] = []
    for kind in counted.filter(count__gt=LIKE_KEPT).values_list("likeness", flat=True)[:limit]:
        alike = _unapproved(now).filter(likeness=kind).order_by("-created")
        found += [one for one in alike[LIKE_KEPT : LIKE_KEPT + limit] if one.created <= now - LIKE_KEPT_FOR]
    return found[:limit]


def _old_documents(now: datetime, limit: int) -> list[Client]:
    """Clients met by their document, which nobody has approved: everybody who opens a link can make us keep one."""
    under_way = PendingAuthorization.objects.filter(client=OuterRef("pk"), expires_at__gt=now)
    approved = Consent.objects.filter(client=OuterRef("pk"))
    old = Client.objects.filter(
        registration_source=Client.RegistrationSource.CIMD,
        cimd_fetched_at__lte=now - DOCUMENT_KEPT,
        disabled_at=None,
        allowed_scopes="",
    )
    idle = old.exclude(Exists(approved)).exclude(Exists(under_way)).order_by("cimd_fetched_at")
    return [
        client for client in idle[: 2 * limit] if not any(vault().sessions.of_clients([client.client_id], limit=1))
    ][:limit]


def _remove_empty_apps(now: datetime, limit: int) -> int:
    """Apps whose registrations are all gone, and that no operator has touched."""
    untouched = App.objects.filter(
        state=App.State.PENDING,
        decided_at=None,
        merged_into=None,
        told="",
        allowed_scopes="",
        reusable_refresh_tokens=False,
    )
    empty = untouched.filter(created_at__lte=now - LIKE_KEPT_FOR)
    for of_it in (Client.objects.filter(app=OuterRef("pk")), AppNote.objects.filter(app=OuterRef("pk")),
                  App.objects.filter(merged_into=OuterRef("pk"))):  # fmt: skip
        empty = empty.exclude(Exists(of_it))
    removed = 0
    for key in list(empty.order_by("pk").values_list("pk", flat=True)[:limit]):
        # somebody registered, merged or noted something meanwhile
        with contextlib.suppress(ProtectedError, IntegrityError), transaction.atomic():
            found = untouched.select_for_update().filter(pk=key).first()
            removed += bool(found and found.delete()[0])
    return removed


def _remove(clients: Iterable[Client], reason: str, now: datetime) -> int:
    """Each in a transaction of its own, and only if nobody has approved or fetched it since it was looked for."""
    removed = 0
    for found in clients:
        with transaction.atomic():
            as_found = {"last_used_at": found.last_used_at, "cimd_fetched_at": found.cimd_fetched_at}
            same = Client.objects.filter(pk=found.pk, **as_found)
            client = same.select_for_update(skip_locked=True).first()
            if client is None:
                continue
            audit.record("client.deleted", actor="maintenance", client_id=client.client_id, reason=reason, now=now)
            client.delete()
            removed += 1
    return removed
