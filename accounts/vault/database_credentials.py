"""Sealed upstream tokens in the database.

Every write names the version it saw (`replace`, `mark_dead`) or holds the row (`keep`), and moves the version on: of two
writers that saw the same tokens, one is told that it lost. A lease changes no tokens and leaves the version alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.db import IntegrityError, transaction
from django.db.models import DateTimeField, F, IntegerField, OuterRef, Q, QuerySet, Subquery, UUIDField
from django.db.models.functions import Coalesce, Greatest

from accounts import audit, metrics
from accounts.models import Credential, Link, TokenSession
from accounts.prepared import Prepared, Slot, slot
from accounts.prepared_writes import PreparedUpdate
from accounts.vault import tokenset
from accounts.vault.base import (
    Closed,
    CredentialState,
    Damaged,
    Entries,
    Entry,
    Expiring,
    NotConnected,
    Session,
    TokenSet,
)
from accounts.vault.bounds import check_identity, check_tokens, is_provider, scope_text
from accounts.vault.database_endings import delete, destroy, locked
from accounts.vault.database_sql import EVERY, NONE, Linked, live, live_session
from accounts.vault.sealing import Sealing

log = structlog.get_logger(__name__)
_KEEP_ATTEMPTS = 5  # each is lost only to a sign-in and the end of its last session, both within a moment
_OF_USER: Prepared[Credential] = Prepared(
    lambda: (
        Credential.objects.filter(user_id=slot("user", UUIDField()))
        .defer("sealed_tokens")
        .order_by("-signed_in_at", "-id")
    )
)
_NO_LEASE: dict[str, Any] = {"lease_holder": "", "lease_until": None}


def _dead(reason: str) -> dict[str, Any]:
    return {"state": Credential.State.DEAD, "dead_reason": reason[:64]}


def _as_seen() -> QuerySet[Credential]:
    """The live credential of this `id`, as long as its version is the one that was `seen` (slots)."""
    seen = slot("seen", IntegerField())
    return Credential.objects.filter(id=slot("id", UUIDField()), version=seen, state=Credential.State.LIVE)


_SEEN: Prepared[Credential] = Prepared(lambda: _as_seen().only("user_id", "provider", "sealed_tokens"))
_LEASE = PreparedUpdate(
    lambda: _as_seen().filter(_unleased(slot("now", DateTimeField()))),
    "lease_holder", "lease_until",
)  # fmt: skip
_REPLACE = PreparedUpdate(
    _as_seen,
    "sealed_tokens", "scope", "expires_at", "refresh_expires_at", "refreshable", "state", "dead_reason", "lease_holder",
    "lease_until", "version", "refreshed_at",
)  # fmt: skip


class DatabaseCredentials:
    """Rows of `Credential`."""

    def __init__(self, sealing: Sealing) -> None:
        self._sealing = sealing

    def keep(self, user_id: UUID, provider: str, subject: str, tokens: TokenSet, *, now: datetime) -> CredentialState:
        check_tokens(tokens)
        check_identity(provider, subject)
        mine = Credential.objects.filter(user_id=user_id, provider=provider, subject=subject)
        for _ in range(_KEEP_ATTEMPTS):
            if (renewed := self._renew(mine, tokens, now)) is not None:
                return renewed
            try:
                return self._make(user_id, provider, subject, tokens, now)
            except IntegrityError as error:
                lost = error  # a parallel sign-in made the row first: renew that one, if it is still there
        raise lost

    def people_at(self, provider: str, *, limit: int | None = None) -> Sequence[UUID]:
        people = Credential.objects.filter(provider=provider).order_by("user_id").distinct()
        return list(people.values_list("user_id", flat=True)[:limit])

    def of_user(self, user_id: UUID, provider: str | None = None) -> Sequence[CredentialState]:
        rows = _OF_USER.all(user=user_id)
        return [_state(row) for row in rows if provider in {None, row.provider}]

    def tokens(self, tsid: str, provider: str, *, now: datetime) -> Entry:
        session, links = live_session(tsid, now=now, provider=provider if is_provider(provider) else NONE)
        if not links:
            raise NotConnected("the session has no credential for this provider")
        return self._entry(session, links[0])

    def all_tokens(self, tsid: str, *, now: datetime, only: str | None = None) -> Entries:
        provider = EVERY if only is None else only if is_provider(only) else NONE
        session, links = live_session(tsid, now=now, provider=provider)
        opened: dict[str, Entry] = {}
        damaged = set()
        for link in links:
            try:
                opened[link.provider] = self._entry(session, link)
            except Damaged:
                damaged.add(link.provider)
        return Entries(session, opened, frozenset(damaged))

    def expiring(self, *, now: datetime, until: datetime, limit: int) -> Sequence[Expiring]:
        obtained_at = Greatest(Coalesce(OuterRef("refreshed_at"), OuterRef("signed_in_at")), OuterRef("signed_in_at"))
        in_use = TokenSession.objects.filter(
            live(now), links__credential=OuterRef("pk"), last_used_at__gte=obtained_at
        ).order_by("-last_used_at")
        rows = (
            Credential.objects.filter(_unleased(now), state=Credential.State.LIVE, user__is_active=True)
            .filter(refresh_expires_at__gt=now, refresh_expires_at__lte=until)
            .annotate(tsid=Subquery(in_use.values("tsid")[:1]))
            .exclude(tsid=None)
            .order_by("refresh_expires_at")
            .values_list("id", "provider", "tsid", "refresh_expires_at")
        )
        return [Expiring(*row) for row in rows[:limit]]  # type: ignore[arg-type]  # the filter leaves out the nulls

    def destroy(
        self,
        user_id: UUID,
        provider: str,
        *,
        now: datetime,
        revoke_at: Collection[str] = (),
        receipt: UUID | None = None,
    ) -> Closed:
        with transaction.atomic():
            ids = list(
                locked(Credential.objects.filter(user_id=user_id, provider=provider)).values_list("id", flat=True)
            )
            if ids:
                delete(Link.objects.filter(credential_id__in=ids))
                destroy(Credential.objects.filter(id__in=ids), {}, now=now, revoke_at=revoke_at, receipt=receipt)
        destroyed = (provider,) * len(ids)
        return Closed(destroyed, destroyed if provider in revoke_at else ())

    def lease(self, credential_id: UUID, *, version_seen: int, holder: str, until: datetime, now: datetime) -> bool:
        return bool(_LEASE.run(id=credential_id, seen=version_seen, now=now, lease_holder=holder, lease_until=until))

    def replace(
        self, credential_id: UUID, tokens: TokenSet, *, version_seen: int, now: datetime, dead_reason: str = ""
    ) -> bool:
        """One UPDATE, after one SELECT: who it is sealed to, and what an incomplete response keeps.

        The two need no lock between them. What was read is what `version_seen` names, and the UPDATE takes effect on
        that version only.
        """
        check_tokens(tokens)
        row = _SEEN.first(id=credential_id, seen=version_seen)
        if row is None:
            return False
        if not tokenset.is_complete(tokens):
            tokens = tokenset.refreshed(tokens, self._open(row.id, row.user_id, row.provider, row.sealed_tokens))
        columns = {**self._columns(row.id, row.user_id, row.provider, tokens), **_NO_LEASE}
        if dead_reason:
            columns |= _dead(dead_reason)
        return bool(
            _REPLACE.run(id=credential_id, seen=version_seen, version=version_seen + 1, refreshed_at=now, **columns)
        )

    def release(self, credential_id: UUID, *, holder: str) -> None:
        Credential.objects.filter(id=credential_id, lease_holder=holder).update(**_NO_LEASE)

    def mark_dead(self, credential_id: UUID, *, version_seen: int, reason: str, now: datetime) -> bool:
        return bool(
            Credential.objects.filter(id=credential_id, version=version_seen).update(
                version=F("version") + 1, **_dead(reason), **_NO_LEASE
            )
        )

    def _renew(self, mine: QuerySet[Credential], tokens: TokenSet, now: datetime) -> CredentialState | None:
        """Store a sign-in on its row, held meanwhile; None where there is no row."""
        with transaction.atomic():
            row = mine.select_for_update().first()
            if row is None:
                return None
            try:
                old = self._open(row.id, row.user_id, row.provider, row.sealed_tokens)
            except Damaged:
                old = None  # reported already; a new sign-in is what mends it
            dead = row.state == Credential.State.DEAD
            columns = self._columns(
                row.id, row.user_id, row.provider, tokenset.signed_in(tokens, old, old_is_dead=dead)
            )
            changes = {**columns, **_NO_LEASE, "version": row.version + 1, "signed_in_at": now,
                       "unlinked_at": row.unlinked_at and now}  # fmt: skip
            Credential.objects.filter(id=row.id).update(**changes)
            for name, value in changes.items():
                setattr(row, name, value)
        return _state(row)

    def _make(self, user_id: UUID, provider: str, subject: str, tokens: TokenSet, now: datetime) -> CredentialState:
        """Store a first sign-in. Raises `IntegrityError` where a parallel one was quicker."""
        credential_id = uuid4()
        columns = self._columns(credential_id, user_id, provider, tokens)
        row = Credential(id=credential_id, user_id=user_id, provider=provider, subject=subject, created_at=now,
                         signed_in_at=now, unlinked_at=now, **columns)  # fmt: skip
        with transaction.atomic():
            row.save(force_insert=True)
        return _state(row)

    def _columns(self, credential_id: UUID, user_id: UUID, provider: str, tokens: TokenSet) -> dict[str, Any]:
        """The sealed tokens, and the copies for listing of what is not secret in them."""
        return {
            "sealed_tokens": self._sealing.seal(
                tokenset.dump(tokens), tokens_context(credential_id, user_id, provider)
            ),
            "scope": scope_text(tokens.scopes),
            "expires_at": tokens.expires_at,
            "refresh_expires_at": tokens.refresh_expires_at,
            "refreshable": bool(tokens.refresh_token),
            "state": Credential.State.LIVE,
            "dead_reason": "",
        }

    def _entry(self, session: Session, link: Linked) -> Entry:
        """Opened with the session's person and the link's provider: a link to somebody else's row does not open."""
        tokens = self._open(link.credential.id, session.user_id, link.provider, link.sealed_tokens, tsid=session.tsid)
        return Entry(session, link.credential, link.approved_scopes, tokens)

    def _open(
        self, credential_id: UUID, user_id: UUID, provider: str, sealed_tokens: str, *, tsid: str = ""
    ) -> TokenSet:
        return open_tokens(self._sealing, credential_id, user_id, provider, sealed_tokens, tsid=tsid)


def open_tokens(
    sealing: Sealing, credential_id: UUID, user_id: UUID, provider: str, sealed_tokens: str, *, tsid: str = ""
) -> TokenSet:
    """What a credential's row holds. Raises `Damaged`, loudly: one that does not open is an event."""
    try:
        return tokenset.load(sealing.open(sealed_tokens, tokens_context(credential_id, user_id, provider)))
    except Damaged as error:
        metrics.VAULT_FAILURES.count("tokens")
        log.warning("vault.damaged", credential=str(credential_id), upstream=provider, reason=str(error))
        audit.record("vault.damaged", outcome="failed", reason=str(error), user_id=user_id, tsid=tsid,
                     upstream=provider, credential=str(credential_id))  # fmt: skip
        raise


def tokens_context(credential_id: UUID, user_id: UUID, provider: str) -> str:
    """What a credential's tokens are sealed to."""
    return f"credential:{credential_id}:{user_id}:{provider}:tokens"


def _unleased(now: datetime | Slot) -> Q:
    return Q(lease_until=None) | Q(lease_until__lte=now)


def _state(row: Credential) -> CredentialState:
    return CredentialState(
        id=row.id,
        user_id=row.user_id,
        provider=row.provider,
        subject=row.subject,
        scopes=tuple(row.scope.split()),
        version=row.version,
        live=row.state == Credential.State.LIVE,
        refreshable=row.refreshable,
        expires_at=row.expires_at,
        dead_reason=row.dead_reason,
    )
