"""The end of a connection: the session is linked, the link is used up, the approval remembered, in one transaction."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.http import HttpRequest

from accounts import audit
from accounts.vault import vault
from accounts.vault.base import Approved
from authserver.addresses import client_address
from authserver.connect.asked import Asked
from authserver.connections import LIFETIME_SECONDS, Ticket
from authserver.models import Consent, PendingConnection
from upstream.providers import unique
from upstream.revoke import providers_to_tell


class SessionEnded(Exception):
    """The session ended while the person was at the provider."""


class UsedUp(Exception):
    """The link was used before: by this browser to its end, or by another one at all."""


def take(ticket: Ticket, browser_hash: str, *, now: datetime) -> PendingConnection:
    """Use the link in this browser: the first one that does owns it, and may go on until it is finished.

    Raises `UsedUp`.
    """
    row = PendingConnection(
        id=ticket.id,
        browser_hash=browser_hash,
        tsid=ticket.tsid,
        user_id=ticket.user_id,
        provider=ticket.provider,
        scopes=list(ticket.scopes),
        created_at=now,
        expires_at=now + timedelta(seconds=LIFETIME_SECONDS),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return taken(ticket.id, browser_hash)
    return row


def taken(ticket_id: uuid.UUID, browser_hash: str | None) -> PendingConnection:
    """The link that this browser took before and has not finished. Raises `UsedUp`."""
    row = PendingConnection.objects.filter(pk=ticket_id).first()
    if row is None or row.browser_hash != browser_hash or row.finished_at is not None:
        raise UsedUp
    return row


def is_used_up(ticket_id: uuid.UUID, browser_hash: str | None) -> bool:
    """Whether this browser may not use the link any more, or never could."""
    row = PendingConnection.objects.filter(pk=ticket_id).values_list("browser_hash", "finished_at").first()
    return row is not None and (row[0] != browser_hash or row[1] is not None)


def finish(request: HttpRequest, asked: Asked, row: PendingConnection, *, now: datetime) -> None:
    """Let the session use what the person holds there now, within what they approved.

    Where the provider granted less than is needed the link is kept for another try. Raises `UsedUp`, `SessionEnded`, and
    the vault's `NotConnected`.
    """
    assert asked.held is not None  # noqa: S101 - narrows the type: the caller has just come from the provider
    session, provider = asked.session, asked.provider.name
    revoke_at = providers_to_tell()
    with transaction.atomic():
        unfinished = PendingConnection.objects.filter(pk=row.pk, finished_at=None)
        if not (unfinished.update(finished_at=None if asked.lacking else now)):
            raise UsedUp
        approved = Approved(asked.held.id, provider, asked.scopes)
        if not vault().sessions.link(session.tsid, approved, now=now, revoke_at=revoke_at):
            raise SessionEnded
        _remember(asked)
        audit.record(
            "session.connected",
            outcome="failed" if asked.lacking else "ok",
            reason="granted_too_little" if asked.lacking else "",
            actor=str(session.user_id),
            user_id=session.user_id,
            client_id=session.client_id,
            tsid=session.tsid,
            resource=session.resource,
            upstream=provider,
            address=client_address(request),
            now=now,
            scope=" ".join(asked.scopes),
        )


def _remember(asked: Asked) -> None:
    """Where the approval of this app is remembered, it grows too: the next authorization does not ask for it again."""
    given = Consent.objects.filter(
        user_id=asked.session.user_id,
        client=asked.client,
        redirect_host=asked.session.redirect_host,
        resource=asked.resource,
    ).first()
    if given is None:
        return
    earlier = given.upstream_scopes.get(asked.provider.name) or ()
    joined = list(unique(earlier, asked.scopes))
    if given.upstream_scopes.get(asked.provider.name) != joined:
        given.upstream_scopes[asked.provider.name] = joined
        given.save(update_fields=["upstream_scopes"])
