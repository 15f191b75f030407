"""What the vault in memory holds, and what its halves do to it together."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock
from uuid import UUID

from accounts.vault.base import Closed, CredentialState, Ended, NewSession, Revocable, TokenSet


@dataclass
class HeldCredential:
    state: CredentialState
    tokens: TokenSet
    signed_in_at: datetime
    unlinked_at: datetime | None
    obtained_at: datetime
    lease: tuple[str, datetime] | None = None

    def is_leased(self, now: datetime) -> bool:
        return self.lease is not None and self.lease[1] > now


@dataclass
class HeldSession:
    tsid: str
    new: NewSession
    idle_expires_at: datetime
    opened_at: datetime
    last_used_at: datetime

    def is_live(self, now: datetime) -> bool:
        return now < self.idle_expires_at


@dataclass
class Queued:
    what: Revocable
    due_at: datetime


@dataclass
class Store:
    """What all three share. Of a closed session no more is kept than when it ended."""

    lock: RLock = field(default_factory=RLock)
    sessions: dict[str, HeldSession] = field(default_factory=dict)
    credentials: dict[UUID, HeldCredential] = field(default_factory=dict)
    queue: dict[UUID, Queued] = field(default_factory=dict)
    ended: list[tuple[str, Ended]] = field(default_factory=list)  # with the resource

    def destroy_unused(
        self,
        credential_ids: Iterable[UUID],
        tsid: str,
        *,
        now: datetime,
        revoke_at: Collection[str],
        receipt: UUID | None = None,
    ) -> Closed:
        """Destroy those of these credentials that no live session uses, and queue what is to be told of them."""
        destroyed: list[str] = []
        used = {approved.credential_id for session in self.sessions.values() if session.is_live(now)
                for approved in session.new.approved}  # fmt: skip
        for credential_id in set(credential_ids) - used:
            held = self.credentials.pop(credential_id, None)
            destroyed += [held.state.provider] if held else []
            if held and held.state.provider in revoke_at:
                state = held.state
                told = Revocable(state.id, state.user_id, state.provider, state.subject, tsid, 0, receipt, held.tokens)
                self.queue[state.id] = Queued(told, now)
        destroyed.sort()
        return Closed(tuple(destroyed), tuple(provider for provider in destroyed if provider in revoke_at))
