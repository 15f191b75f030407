"""Token sessions in the database.

Three things race for a credential: a session being opened with it, the last session of it being closed, and a sign-in
renewing it. Whoever links or destroys locks the credential's row first (in the order of the ids, so that two never wait
for each other), and looks at its links only after: so a credential is destroyed exactly once, and never from under a
link. On SQLite the transaction itself is the lock.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, UUIDField

from accounts.models import Credential, Link, TokenSession
from accounts.prepared import Prepared, slot
from accounts.prepared_writes import PreparedInsert
from accounts.vault.base import ORPHAN_AGE, Approved, Closed, Ended, NewSession, NotConnected, Session
from accounts.vault.bounds import check_approved, is_tsid, printable, scope_text
from accounts.vault.database_endings import delete, destroy, end_links, locked, mark_closed
from accounts.vault.database_sql import live, live_session, touch, use

_TSID_BYTES = 24
_SWEEP_BATCH = 200
_LISTED_BATCH = 1000
_INSERT_SESSION, _INSERT_LINKS = PreparedInsert(TokenSession), PreparedInsert(Link)
_UNLINKED = ~Exists(Link.objects.filter(credential=OuterRef("pk")))


class DatabaseSessions:
    """Rows of `TokenSession` and `Link`."""

    def open(self, new: NewSession, *, now: datetime) -> str:
        check_approved(new)
        tsid = secrets.token_urlsafe(_TSID_BYTES)
        with transaction.atomic():
            _claim_credentials(new.user_id, new.approved)
            _INSERT_SESSION.save(
                TokenSession(
                    tsid=tsid,
                    user_id=new.user_id,
                    client_id=new.client_id,
                    redirect_host=new.redirect_host,
                    resource=new.resource,
                    scope=" ".join(new.scopes),
                    address=new.address,
                    user_agent=printable(new.user_agent, 512),
                    signed_in_with=new.signed_in_with,
                    upstream_sid=new.upstream_sid,
                    created_at=now,
                    last_used_at=now,
                    idle_expires_at=min(new.idle_expires_at, new.expires_at),
                    expires_at=new.expires_at,
                )
            )
            _INSERT_LINKS.save_all(
                [
                    Link(
                        session_id=tsid,
                        credential_id=approved.credential_id,
                        provider=approved.provider,
                        scope=scope_text(approved.scopes),
                    )
                    for approved in new.approved
                ]
            )
        return tsid

    def link(self, tsid: str, approved: Approved, *, now: datetime, revoke_at: Collection[str] = ()) -> bool:
        """The session's row is held first, as `close` does: nothing is linked to one that is ending."""
        if not is_tsid(tsid):
            return False
        with transaction.atomic():
            owner = TokenSession.objects.select_for_update().filter(live(now), tsid=tsid)
            user_id = owner.values_list("user_id", flat=True).first()
            if user_id is None:
                return False
            held = Link.objects.filter(session_id=tsid, provider=approved.provider).first()
            left = {held.credential_id} - {approved.credential_id} if held else set()
            _claim_credentials(user_id, [approved], beside=left)
            if held is None:
                held = Link(session_id=tsid, provider=approved.provider)
            held.credential_id = approved.credential_id
            held.scope = scope_text(tuple(dict.fromkeys([*held.scope.split(), *approved.scopes])))
            held.save()
            _destroy_unused(dict.fromkeys(left, tsid), now=now, revoke_at=revoke_at)
        return True

    def alive(self, tsid: str, *, now: datetime) -> Session:
        return live_session(tsid, now=now)[0]

    def touch(self, tsid: str, *, idle_expires_at: datetime, now: datetime) -> bool:
        return touch(tsid, idle_expires_at=idle_expires_at, now=now)

    def use(self, tsid: str, *, idle_expires_at: datetime, now: datetime) -> Session:
        return use(tsid, idle_expires_at=idle_expires_at, now=now)

    def close(
        self, tsid: str, *, reason: str, now: datetime, revoke_at: Collection[str] = (), receipt: UUID | None = None
    ) -> Closed | None:
        """Three statements, and one more where providers are to be told.

        The session is marked first: whatever a crash leaves behind is unusable.
        """
        if not is_tsid(tsid):
            return None
        with transaction.atomic():
            whose = mark_closed(tsid, reason=reason[:64], now=now)
            if whose is None:
                return None
            closed = end_links(tsid, now=now, revoke_at=revoke_at, receipt=receipt)
        return replace(closed, user_id=whose.user_id, client_id=whose.client_id, resource=whose.resource)

    def of_user(self, user_id: UUID) -> Sequence[str]:
        return _tsids(TokenSession.objects.filter(user_id=user_id))

    def of_clients(self, client_ids: Collection[str], *, limit: int | None = None) -> Sequence[str]:
        return _tsids(TokenSession.objects.filter(client_id__in=client_ids), limit)

    def least_used(self, user_id: UUID, *, beyond: int, client_id: str = "") -> Sequence[str]:
        own = TokenSession.objects.filter(user_id=user_id, closed_at=None)
        own = own.filter(client_id=client_id) if client_id else own
        return list(own.order_by("-last_used_at", "-created_at").values_list("tsid", flat=True)[beyond:])

    def of_resource(self, resource: str, *, limit: int | None = None) -> Sequence[str]:
        return _tsids(TokenSession.objects.filter(resource=resource), limit)

    def of_upstream(self, provider: str, *, resources: Collection[str], limit: int | None = None) -> Sequence[str]:
        """In no order: sorting everybody's would cost more than finding them."""
        links = Link.objects.filter(provider=provider, session__resource__in=resources, session__closed_at=None)
        return list(links.values_list("session_id", flat=True)[:limit])

    def of_everybody(self, *, opened_before: datetime) -> Iterable[str]:
        rows = TokenSession.objects.filter(closed_at=None, created_at__lt=opened_before).order_by("tsid")
        last = ""
        while batch := list(rows.filter(tsid__gt=last).values_list("tsid", flat=True)[:_LISTED_BATCH]):
            yield from batch
            last = batch[-1]

    def of_connection(self, user_id: UUID, provider: str, *, resources: Collection[str] | None = None) -> Sequence[str]:
        linked = TokenSession.objects.filter(user_id=user_id, links__provider=provider)
        return _tsids(linked if resources is None else linked.filter(resource__in=resources))

    def of_sign_in(self, provider: str, *, user_id: UUID) -> Sequence[str]:
        return _tsids(TokenSession.objects.filter(user_id=user_id, signed_in_with=provider))

    def of_upstream_session(self, provider: str, sid: str) -> Mapping[str, UUID]:
        rows = TokenSession.objects.filter(closed_at=None, signed_in_with=provider, upstream_sid=sid)
        return dict(rows.exclude(upstream_sid="").values_list("tsid", "user_id"))

    def would_destroy(self, tsids: Collection[str], *, now: datetime) -> Sequence[str]:
        others = Link.objects.filter(
            Exists(TokenSession.objects.filter(live(now), tsid=OuterRef("session_id"))), credential=OuterRef("pk")
        ).exclude(session_id__in=tsids)
        doomed = Credential.objects.filter(~Exists(others), links__session_id__in=tsids).distinct()
        return sorted(provider for _, provider in doomed.values_list("id", "provider"))

    def ended(self, resources: Collection[str], *, since: datetime, limit: int) -> Sequence[Ended]:
        over = TokenSession.objects.filter(resource__in=resources, closed_at__gte=since)
        rows = over.order_by("closed_at", "tsid").values_list("tsid", "closed_at")
        return [Ended(tsid, closed_at) for tsid, closed_at in rows[:limit] if closed_at is not None]

    def sweep(self, *, now: datetime, limit: int, revoke_at: Collection[str] = ()) -> int:
        swept = 0
        for step in (_close_expired, _destroy_orphans):
            while (size := min(_SWEEP_BATCH, limit - swept)) > 0:
                taken = step(now, size, revoke_at)
                swept += taken
                if taken < size:
                    break
        return swept


def _tsids(sessions: QuerySet[TokenSession], limit: int | None = None) -> list[str]:
    return list(sessions.filter(closed_at=None).order_by("-created_at").values_list("tsid", flat=True)[:limit])


def _claim_credentials(user_id: UUID, approved: Sequence[Approved], *, beside: Collection[UUID] = ()) -> None:
    """Hold the credentials that a session is about to link (and those `beside`), until it has. Raises `NotConnected`."""
    if not approved:
        return
    ids = {entry.credential_id for entry in approved}
    wanted = {f"id{number}": one for number, one in enumerate(ids.union(beside))}
    rows = _held(len(wanted)).all(user=user_id, **wanted)
    found = {row.pk: (row.provider, row.unlinked_at) for row in rows}
    for entry in approved:
        if found.get(entry.credential_id, ("", None))[0] != entry.provider:
            raise NotConnected(f"the credential for {entry.provider} is not there (any more)")
    if any(found[credential_id][1] for credential_id in ids):  # the first session of a new credential
        Credential.objects.filter(id__in=ids).update(unlinked_at=None)


@cache
def _held(count: int) -> Prepared[Credential]:
    """So many of a person's credentials, held; few numbers come, as nobody needs many upstreams."""
    ids: list[Any] = [slot(f"id{number}", UUIDField()) for number in range(count)]
    own = Credential.objects.filter(user_id=slot("user", UUIDField()), id__in=ids)
    return Prepared(lambda: locked(own.only("provider", "unlinked_at")))


def _unlink(tsids: list[str], *, now: datetime, revoke_at: Collection[str]) -> None:
    """Drop the links of closed sessions and destroy what no live session uses. Inside a transaction."""
    linked = Link.objects.filter(session_id__in=tsids)
    ids = list(locked(Credential.objects.filter(id__in=linked.values("credential_id"))).values_list("id", flat=True))
    ended = dict(linked.values_list("credential_id", "session_id")) if revoke_at else dict.fromkeys(ids, tsids[0])
    _destroy_unused(ended, now=now, revoke_at=revoke_at, closed=tsids)


def _destroy_unused(
    ended: Mapping[UUID, str], *, now: datetime, revoke_at: Collection[str], closed: Sequence[str] = ()
) -> None:
    """Drop the links of `closed` sessions, and destroy those of the locked credentials that no live session uses.

    `ended` says whose end it is. The links of sessions that have run out, but were not swept yet, hold nothing back:
    they go with the credential.
    """
    if not ended:
        return
    run_out = Exists(TokenSession.objects.filter(~live(now), tsid=OuterRef("session_id")))
    delete(Link.objects.filter(Q(session_id__in=closed) | Q(run_out, credential_id__in=ended)))
    destroy(Credential.objects.filter(_UNLINKED, id__in=ended), ended, now=now, revoke_at=revoke_at)


def _close_expired(now: datetime, size: int, revoke_at: Collection[str]) -> int:
    with transaction.atomic():
        expired = TokenSession.objects.filter(closed_at=None, idle_expires_at__lte=now).order_by("idle_expires_at")
        tsids = list(expired.select_for_update(skip_locked=True).values_list("tsid", flat=True)[:size])
        if tsids:
            TokenSession.objects.filter(tsid__in=tsids).update(closed_at=now, close_reason="expired")
            _unlink(tsids, now=now, revoke_at=revoke_at)
    return len(tsids)


def _destroy_orphans(now: datetime, size: int, revoke_at: Collection[str]) -> int:
    with transaction.atomic():
        orphans = Credential.objects.filter(_UNLINKED, unlinked_at__lte=now - ORPHAN_AGE).order_by("id")
        ids = list(orphans.select_for_update(skip_locked=True, of=("self",)).values_list("id", flat=True)[:size])
        if ids:  # asked again under the lock: a session may have been opened in between
            orphaned = Credential.objects.filter(_UNLINKED, unlinked_at__isnull=False, id__in=ids)
            destroy(orphaned, {}, now=now, revoke_at=revoke_at)
    return len(ids)
