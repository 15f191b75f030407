"""The vault in one process, under one lock: for tests, and the proof that the seam holds without this database.

Tokens stay in clear here, as nothing leaves the process; it all ends with it. People remain rows of ours, wherever
sessions live, so whether one is active is asked through `is_active`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import RLock
from uuid import UUID, uuid4

from accounts.models import User
from accounts.vault import tokenset
from accounts.vault.base import (
    ORPHAN_AGE,
    CredentialState,
    Entry,
    NewSession,
    NotConnected,
    Session,
    SessionGone,
    TokenSet,
)
from accounts.vault.bounds import check_approved, check_identity, check_tokens, scope_text


@dataclass
class _Credential:
    state: CredentialState
    tokens: TokenSet
    signed_in_at: datetime
    unlinked_at: datetime | None
    lease: tuple[str, datetime] | None = None


@dataclass
class _Session:
    tsid: str
    new: NewSession
    idle_expires_at: datetime

    def is_live(self, now: datetime) -> bool:
        return now < self.idle_expires_at


@dataclass
class _Store:
    """What both halves share. A closed session is forgotten: nothing asks a memory for its history."""

    lock: RLock
    sessions: dict[str, _Session]
    credentials: dict[UUID, _Credential]


def _user_is_active(user_id: UUID) -> bool:
    return User.objects.filter(pk=user_id, is_active=True).exists()


class MemorySessions:
    """Token sessions in a dict, oldest first."""

    def __init__(self, store: _Store, is_active: Callable[[UUID], bool]) -> None:
        self._store = store
        self._is_active = is_active

    def open(self, new: NewSession, *, now: datetime) -> str:
        check_approved(new)
        with self._store.lock:
            credentials = [self._store.credentials.get(approved.credential_id) for approved in new.approved]
            for approved, credential in zip(new.approved, credentials, strict=True):
                whose = (credential.state.user_id, credential.state.provider) if credential else None
                if whose != (new.user_id, approved.provider):
                    raise NotConnected(f"the credential for {approved.provider} is not there (any more)")
            for credential in filter(None, credentials):
                credential.unlinked_at = None
            tsid = secrets.token_urlsafe(24)
            self._store.sessions[tsid] = _Session(tsid, new, min(new.idle_expires_at, new.expires_at))
            return tsid

    def alive(self, tsid: str, *, now: datetime) -> Session:
        with self._store.lock:
            session = self._store.sessions.get(tsid)
            if session is None or not session.is_live(now):
                raise SessionGone("unknown, closed, or past its end")
            credentials = {entry.provider: self._store.credentials[entry.credential_id].state
                           for entry in session.new.approved if entry.credential_id in self._store.credentials}  # fmt: skip
            return Session(
                tsid=tsid,
                user_id=session.new.user_id,
                user_is_active=self._is_active(session.new.user_id),
                client_id=session.new.client_id,
                resource=session.new.resource,
                scopes=session.new.scopes,
                idle_expires_at=session.idle_expires_at,
                expires_at=session.new.expires_at,
                dead_providers=tuple(sorted(provider for provider, state in credentials.items() if not state.live)),
            )

    def touch(self, tsid: str, *, idle_expires_at: datetime, now: datetime) -> bool:
        with self._store.lock:
            session = self._store.sessions.get(tsid)
            if session is None or not session.is_live(now):
                return False
            session.idle_expires_at = min(idle_expires_at, session.new.expires_at)
            return True

    def close(self, tsid: str, *, reason: str, now: datetime) -> bool:
        with self._store.lock:
            session = self._store.sessions.pop(tsid, None)
            if session is None:
                return False
            used = {approved.credential_id for other in self._store.sessions.values() if other.is_live(now)
                    for approved in other.new.approved}  # fmt: skip
            for approved in session.new.approved:
                if approved.credential_id not in used:
                    self._store.credentials.pop(approved.credential_id, None)
            return True

    def of_user(self, user_id: UUID) -> Sequence[str]:
        with self._store.lock:
            return [one.tsid for one in reversed(self._store.sessions.values()) if one.new.user_id == user_id]

    def of_client(self, client_id: str) -> Sequence[str]:
        with self._store.lock:
            return [one.tsid for one in reversed(self._store.sessions.values()) if one.new.client_id == client_id]

    def sweep(self, *, now: datetime, limit: int) -> int:
        with self._store.lock:
            expired = [session.tsid for session in self._store.sessions.values() if not session.is_live(now)][:limit]
            for tsid in expired:
                self.close(tsid, reason="expired", now=now)
            orphans = [key for key, credential in self._store.credentials.items()
                       if credential.unlinked_at and credential.unlinked_at <= now - ORPHAN_AGE]  # fmt: skip
            for key in orphans[: limit - len(expired)]:
                del self._store.credentials[key]
            return len(expired) + len(orphans[: limit - len(expired)])


class MemoryCredentials:
    """Token sets in a dict."""

    def __init__(self, store: _Store, sessions: MemorySessions) -> None:
        self._store = store
        self._sessions = sessions

    def keep(self, user_id: UUID, provider: str, subject: str, tokens: TokenSet, *, now: datetime) -> CredentialState:
        check_tokens(tokens)
        check_identity(provider, subject)
        with self._store.lock:
            for held in self._store.credentials.values():
                if (held.state.user_id, held.state.provider, held.state.subject) == (user_id, provider, subject):
                    _store_tokens(held, tokenset.signed_in(tokens, held.tokens, old_is_dead=not held.state.live))
                    held.signed_in_at, held.unlinked_at = now, held.unlinked_at and now
                    return held.state
            state = CredentialState(uuid4(), user_id, provider, subject, (), 0, True, False, None)
            made = _Credential(state, tokens, signed_in_at=now, unlinked_at=now)
            _store_tokens(made, tokens)
            self._store.credentials[state.id] = made
            return made.state

    def of_user(self, user_id: UUID, provider: str | None = None) -> Sequence[CredentialState]:
        with self._store.lock:
            latest_first = sorted(self._store.credentials.values(), key=lambda held: held.signed_in_at, reverse=True)
            return [held.state for held in latest_first
                    if held.state.user_id == user_id and provider in (None, held.state.provider)]  # fmt: skip

    def tokens(self, tsid: str, provider: str, *, now: datetime) -> Entry:
        with self._store.lock:
            session = self._sessions.alive(tsid, now=now)
            for approved in self._store.sessions[tsid].new.approved:
                held = self._store.credentials.get(approved.credential_id)
                if approved.provider == provider and held:
                    return Entry(session, held.state, approved.scopes, held.tokens)
        raise NotConnected("the session has no credential for this provider")

    def lease(self, credential_id: UUID, *, version_seen: int, holder: str, until: datetime, now: datetime) -> bool:
        with self._store.lock:
            held = self._seen(credential_id, version_seen)
            if held is None or not held.state.live or (held.lease and held.lease[1] > now):
                return False
            held.lease = (holder, until)
            return True

    def replace(self, credential_id: UUID, tokens: TokenSet, *, version_seen: int, now: datetime) -> bool:
        check_tokens(tokens)
        with self._store.lock:
            held = self._seen(credential_id, version_seen)
            if held is None or not held.state.live:
                return False
            _store_tokens(held, tokenset.refreshed(tokens, held.tokens))
            return True

    def release(self, credential_id: UUID, *, holder: str) -> None:
        with self._store.lock:
            held = self._store.credentials.get(credential_id)
            if held and held.lease and held.lease[0] == holder:
                held.lease = None

    def mark_dead(self, credential_id: UUID, *, version_seen: int, reason: str, now: datetime) -> bool:
        with self._store.lock:
            held = self._seen(credential_id, version_seen)
            if held is None:
                return False
            held.state = replace(held.state, live=False, dead_reason=reason[:64], version=version_seen + 1)
            held.lease = None
            return True

    def _seen(self, credential_id: UUID, version: int) -> _Credential | None:
        held = self._store.credentials.get(credential_id)
        return held if held and held.state.version == version else None


class MemoryVault:
    """One process's vault. `is_active` says whether a person may still act."""

    def __init__(self, is_active: Callable[[UUID], bool] = _user_is_active) -> None:
        store = _Store(RLock(), {}, {})
        self.sessions = MemorySessions(store, is_active)
        self.credentials = MemoryCredentials(store, self.sessions)

    def ping(self) -> None:
        """Nothing to reach."""


def _store_tokens(held: _Credential, tokens: TokenSet) -> None:
    held.tokens, held.lease = tokens, None
    held.state = replace(
        held.state,
        scopes=tuple(scope_text(tokens.scopes).split()),
        version=held.state.version + 1,
        live=True,
        refreshable=bool(tokens.refresh_token),
        expires_at=tokens.expires_at,
        dead_reason="",
    )
