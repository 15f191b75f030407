"""Token sessions in the database.

Three things race for a credential: a session being opened with it, the last session of it being closed, and a sign-in
renewing it. Whoever links or destroys locks the credential's row first (in the order of the ids, so that two never wait
for each other), and looks at its links only after: so a credential is destroyed exactly once, and never from under a
link. On SQLite the transaction itself is the lock.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Credential, Link, TokenSession
from accounts.vault.base import ORPHAN_AGE, Approved, NewSession, NotConnected, Session
from accounts.vault.bounds import check_approved, is_tsid, printable, scope_text
from accounts.vault.database_sql import live_session, touch

_TSID_BYTES = 24
_SWEEP_BATCH = 200
_UNLINKED = ~Exists(Link.objects.filter(credential=OuterRef("pk")))


class DatabaseSessions:
    """Rows of `TokenSession` and `Link`."""

    def open(self, new: NewSession, *, now: datetime) -> str:
        check_approved(new)
        tsid = secrets.token_urlsafe(_TSID_BYTES)
        with transaction.atomic():
            _claim_credentials(new.user_id, new.approved)
            TokenSession.objects.create(
                tsid=tsid,
                user_id=new.user_id,
                client_id=new.client_id,
                redirect_host=new.redirect_host,
                resource=new.resource,
                scope=" ".join(new.scopes),
                address=new.address,
                user_agent=printable(new.user_agent, 512),
                created_at=now,
                last_used_at=now,
                idle_expires_at=min(new.idle_expires_at, new.expires_at),
                expires_at=new.expires_at,
            )
            Link.objects.bulk_create(
                Link(
                    session_id=tsid,
                    credential_id=approved.credential_id,
                    provider=approved.provider,
                    scope=scope_text(approved.scopes),
                )
                for approved in new.approved
            )
        return tsid

    def alive(self, tsid: str, *, now: datetime) -> Session:
        return live_session(tsid, now=now)[0]

    def touch(self, tsid: str, *, idle_expires_at: datetime, now: datetime) -> bool:
        return touch(tsid, idle_expires_at=idle_expires_at, now=now)

    def close(self, tsid: str, *, reason: str, now: datetime) -> bool:
        """Four statements. The session is marked first: whatever a crash leaves behind is unusable."""
        if not is_tsid(tsid):
            return False
        with transaction.atomic():
            ended = TokenSession.objects.filter(tsid=tsid, closed_at=None).update(
                closed_at=now, close_reason=reason[:64]
            )
            if ended:
                _unlink([tsid], now=now)
        return bool(ended)

    def of_user(self, user_id: UUID) -> Sequence[str]:
        return _tsids(TokenSession.objects.filter(user_id=user_id))

    def of_client(self, client_id: str) -> Sequence[str]:
        return _tsids(TokenSession.objects.filter(client_id=client_id))

    def sweep(self, *, now: datetime, limit: int) -> int:
        swept = 0
        for step in (_close_expired, _destroy_orphans):
            while (size := min(_SWEEP_BATCH, limit - swept)) > 0:
                taken = step(now, size)
                swept += taken
                if taken < size:
                    break
        return swept


def _live(now: datetime) -> Q:
    return Q(closed_at=None, idle_expires_at__gt=now, expires_at__gt=now)


def _tsids(sessions: QuerySet[TokenSession]) -> list[str]:
    return list(sessions.filter(closed_at=None).order_by("-created_at").values_list("tsid", flat=True))


def _locked(credentials: QuerySet[Credential]) -> QuerySet[Credential]:
    """Always by id, or two transactions could wait for each other."""
    return credentials.order_by("id").select_for_update(of=("self",))


def _claim_credentials(user_id: UUID, approved: Sequence[Approved]) -> None:
    """Hold the credentials that a session is about to link, until it has. Raises `NotConnected`."""
    if not approved:
        return
    rows = _locked(Credential.objects.filter(user_id=user_id, id__in=[entry.credential_id for entry in approved]))
    found = {credential_id: (provider, unlinked_at)
             for credential_id, provider, unlinked_at in rows.values_list("id", "provider", "unlinked_at")}  # fmt: skip
    for entry in approved:
        if found.get(entry.credential_id, ("", None))[0] != entry.provider:
            raise NotConnected(f"the credential for {entry.provider} is not there (any more)")
    if any(unlinked_at for _, unlinked_at in found.values()):  # the first session of a new credential
        Credential.objects.filter(id__in=found).update(unlinked_at=None)


def _unlink(tsids: list[str], *, now: datetime) -> None:
    """Drop the links of closed sessions and destroy what no live session uses. Inside a transaction.

    The links of sessions that have run out, but were not swept yet, hold nothing back: they go with the credential.
    """
    credential_ids = list(_locked(Credential.objects.filter(id__in=_linked_to(tsids))).values_list("id", flat=True))
    if not credential_ids:
        return
    run_out = Exists(TokenSession.objects.filter(~_live(now), tsid=OuterRef("session_id")))
    _delete(Link.objects.filter(Q(session_id__in=tsids) | Q(run_out, credential_id__in=credential_ids)))
    _delete(Credential.objects.filter(_UNLINKED, id__in=credential_ids))


def _linked_to(tsids: Iterable[str]) -> QuerySet[Link, UUID]:
    return Link.objects.filter(session_id__in=tsids).values_list("credential_id", flat=True)


def _close_expired(now: datetime, size: int) -> int:
    with transaction.atomic():
        expired = TokenSession.objects.filter(closed_at=None, idle_expires_at__lte=now).order_by("idle_expires_at")
        tsids = list(expired.select_for_update(skip_locked=True).values_list("tsid", flat=True)[:size])
        if tsids:
            TokenSession.objects.filter(tsid__in=tsids).update(closed_at=now, close_reason="expired")
            _unlink(tsids, now=now)
    return len(tsids)


def _destroy_orphans(now: datetime, size: int) -> int:
    with transaction.atomic():
        orphans = Credential.objects.filter(_UNLINKED, unlinked_at__lte=now - ORPHAN_AGE).order_by("id")
        ids = list(orphans.select_for_update(skip_locked=True, of=("self",)).values_list("id", flat=True)[:size])
        if ids:  # asked again under the lock: a session may have been opened in between
            _delete(Credential.objects.filter(_UNLINKED, unlinked_at__isnull=False, id__in=ids))
    return len(ids)


def _delete(rows: QuerySet[Link] | QuerySet[Credential]) -> None:
    """One DELETE. `QuerySet.delete` would fetch the rows first, to look for what hangs on them; nothing does."""
    rows._raw_delete(rows.db)
