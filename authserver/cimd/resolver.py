"""From a client's URL to its row: kept while fresh, fetched again when not, served stale when that fails.

A known client is not ended by a broken document: the last good one serves for `STALE_AT_MOST`. What fails is never
kept as a document; it is only remembered, for `BACK_OFF`, that it failed.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import structlog
from django.db import IntegrityError, transaction

from accounts import audit
from authserver import client_registry, limits, policy, shared_cache
from authserver.app_identity import identity
from authserver.cimd import address, document, flights
from authserver.cimd.document import Document
from authserver.cimd.errors import Busy, UnusableDocument
from authserver.cimd.freshness import BACK_OFF, STALE_AT_MOST
from authserver.models import App, Client

log = structlog.get_logger("cimd")

CIMD = Client.RegistrationSource.CIMD


def resolve(client_id: str, row: Client | None, *, now: datetime, network: str = "") -> Client:
    """The client of an https URL; `row` is what the database has of it. Raises `UnusableDocument`, and
    `limits.TooMany` where too many new ones come from this `network`.

    A row that an operator made under a URL is theirs, and nothing is fetched for it; nor for a disabled one.
    """
    if row is not None and row.registration_source != CIMD:
        return row
    rules = policy.current().registration.cimd
    if not rules.enabled:
        raise UnusableDocument("Client ID metadata documents are not in use here.")
    address.check(client_id)
    address.check_host(client_id, rules)
    if row is not None and (_is_fresh(row, now) or not row.is_usable(None)):
        return row
    try:
        with flights.only_one_anywhere(client_id):
            row = Client.objects.select_related("app").filter(client_id=client_id).first()  # fetched while we waited?
            if row is not None and (row.registration_source != CIMD or _is_fresh(row, now)):
                return row
            if row is None:
                _let_in(client_id, rules, network)
            return _keep(client_id, row, _fetch(client_id, rules, now), now)
    except UnusableDocument as error:
        if row is None or row.cimd_fetched_at is None or now >= row.cimd_fetched_at + STALE_AT_MOST:
            raise
        log.info("stale document served", client_id=client_id, reason=str(error))
        return row


def _let_in(client_id: str, rules: policy.Cimd, network: str) -> None:
    """A new client by its document is a registration like any other: not of a blocked app, not where nobody may register
    unless the operator let its host or its app in, and as often from one network. Raises `UnusableDocument`, `TooMany`."""
    app = App.objects.filter(key=_app_key(client_id)).first()
    if app is not None and app.is_blocked:
        raise UnusableDocument("Apps of this host are blocked here.")
    is_let_in = bool(rules.allowed_hosts) or (app is not None and app.is_approved)
    if policy.current().registration.mode in {"token", "closed"} and not is_let_in:
        raise UnusableDocument("New apps are not let in here; its operator can approve this one.")
    if network and (wait_seconds := limits.hit("register", network)) is not None:
        raise limits.TooMany(wait_seconds)


def _app_key(client_id: str) -> str:
    return identity(source=CIMD, client_id=client_id, name="", redirect_uris=()).key


def _is_fresh(row: Client, now: datetime) -> bool:
    return row.cimd_expires_at is not None and now < row.cimd_expires_at


def _fetch(client_id: str, rules: policy.Cimd, now: datetime) -> Document:
    failures = f"cimd-failed:{hashlib.sha256(client_id.encode()).hexdigest()}"
    match shared_cache.recall(failures):
        case (float(until), str(reason)) if now.timestamp() < until:
            raise UnusableDocument(reason)
    try:
        with flights.slot():
            return document.fetch(client_id, allow_private_network=rules.allow_private_network, now=now)
    except Busy:
        raise
    except UnusableDocument as error:
        log.info("document refused", client_id=client_id, reason=str(error))
        until = (now + BACK_OFF).timestamp()
        shared_cache.remember(failures, (until, str(error)), seconds=BACK_OFF.total_seconds())
        raise


def _keep(client_id: str, row: Client | None, good: Document, now: datetime) -> Client:
    """Store a good document. Of two processes that see a client first, the unique `client_id` lets one insert it."""
    columns: dict[str, Any] = {"cimd_fetched_at": now, "cimd_expires_at": now + good.lifetime}
    if row is not None:
        changed = client_registry.differences(row, good.metadata)
        with transaction.atomic():
            client_registry.replace(row, good.metadata, now=now, **columns)
            if changed:
                audit.record(
                    "client.changed", client_id=client_id, reason="metadata document", now=now, changed=changed
                )
        return row
    try:
        with transaction.atomic():
            client = client_registry.create(client_id, good.metadata, source=CIMD, **columns)
            client.app.seen(now)
            audit.record("client.registered", client_id=client_id, reason="metadata document", now=now)
    except IntegrityError:
        winner: Client | None = Client.objects.select_related("app").filter(client_id=client_id).first()
        if winner is None:  # maintenance removed the app, empty until now, under our hands
            raise Busy("Try again in a moment.") from None
        return winner
    return client
