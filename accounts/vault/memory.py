"""The vault in one process, under one lock: for tests, and the proof that the seam holds without this database.

Tokens stay in clear here, as nothing leaves the process; it all ends with it. People remain rows of ours, wherever
sessions live, so whether one is active is asked through `is_active`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from accounts.models import User
from accounts.vault import tokenset
from accounts.vault.base import (
    ORPHAN_AGE,
    Approved,
    Closed,
    CredentialState,
    Ended,
    Entries,
    Entry,
    Expiring,
    NewSession,
    NotConnected,
    Revocable,
    Session,
    SessionGone,
    TokenSet,
)
from accounts.vault.bounds import check_approved, check_identity, check_tokens, scope_text
from accounts.vault.memory_store import HeldCredential, HeldSession, Store


def _user_is_active(user_id: UUID) -> bool:
    return User.objects.filter(pk=user_id, is_active=True).exists()


class MemorySessions:
    """Token sessions in a dict, oldest first."""

    def __init__(self, store: Store, is_active: Callable[[UUID], bool]) -> None:
        self._store = store
        self.user_is_active = is_active

    def open(self, new: NewSession, *, now: datetime) -> str:
        check_approved(new)
        with self._store.lock:
            self._claim(new.user_id, new.approved)
            tsid = secrets.token_urlsafe(24)
            self._store.sessions[tsid] = HeldSession(tsid, new, min(new.idle_expires_at, new.expires_at), now, now)
            return tsid

    def link(self, tsid: str, approved: Approved, *, now: datetime, revoke_at: Collection[str] = ()) -> bool:
        with self._store.lock:
            session = self._store.sessions.get(tsid)
            if session is None or not session.is_live(now):
                return False
            self._claim(session.new.user_id, (approved,))
            links = {link.provider: link for link in session.new.approved}
            before = links.get(approved.provider)
            scopes = dict.fromkeys([*(before.scopes if before else ()), *approved.scopes])
            links[approved.provider] = replace(approved, scopes=tuple(scopes))
            session.new = replace(session.new, approved=tuple(links.values()))
            if before:
                self._store.destroy_unused([before.credential_id], tsid, now=now, revoke_at=revoke_at)
            return True

    def _claim(self, user_id: UUID, approved: Sequence[Approved]) -> None:
        credentials = [self._store.credentials.get(one.credential_id) for one in approved]
        for one, credential in zip(approved, credentials, strict=True):
            whose = (credential.state.user_id, credential.state.provider) if credential else None
            if whose != (user_id, one.provider):
                raise NotConnected(f"the credential for {one.provider} is not there (any more)")
        for credential in filter(None, credentials):
            credential.unlinked_at = None

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
                user_is_active=self.user_is_active(session.new.user_id),
                client_id=session.new.client_id,
                redirect_host=session.new.redirect_host,
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
            session.last_used_at = now
            return True

    def use(self, tsid: str, *, idle_expires_at: datetime, now: datetime) -> Session:
        with self._store.lock:
            session = self.alive(tsid, now=now)
            if session.dead_providers:
                return session
            self.touch(tsid, idle_expires_at=idle_expires_at, now=now)
            return self.alive(tsid, now=now)

    def close(
        self, tsid: str, *, reason: str, now: datetime, revoke_at: Collection[str] = (), receipt: UUID | None = None
    ) -> Closed | None:
        with self._store.lock:
            session = self._store.sessions.pop(tsid, None)
            if session is None:
                return None
            self._store.ended.append((session.new.resource, Ended(tsid, now)))
            linked = [approved.credential_id for approved in session.new.approved]
            closed = self._store.destroy_unused(linked, tsid, now=now, revoke_at=revoke_at, receipt=receipt)
            new = session.new
            return replace(closed, user_id=new.user_id, client_id=new.client_id, resource=new.resource)

    def of_user(self, user_id: UUID) -> Sequence[str]:
        with self._store.lock:
            return [one.tsid for one in reversed(self._store.sessions.values()) if one.new.user_id == user_id]

    def of_clients(self, client_ids: Collection[str], *, limit: int | None = None) -> Sequence[str]:
        with self._store.lock:
            newest = reversed(self._store.sessions.values())
            return [one.tsid for one in newest if one.new.client_id in client_ids][:limit]

    def least_used(self, user_id: UUID, *, beyond: int, client_id: str = "") -> Sequence[str]:
        with self._store.lock:
            own = [one for one in reversed(self._store.sessions.values())
                   if one.new.user_id == user_id and client_id in ("", one.new.client_id)]  # fmt: skip
            own.sort(key=lambda one: one.last_used_at, reverse=True)
            return [one.tsid for one in own[beyond:]]

    def of_resource(self, resource: str, *, limit: int | None = None) -> Sequence[str]:
        with self._store.lock:
            newest = reversed(self._store.sessions.values())
            return [one.tsid for one in newest if one.new.resource == resource][:limit]

    def of_upstream(self, provider: str, *, resources: Collection[str], limit: int | None = None) -> Sequence[str]:
        with self._store.lock:
            found = [one.tsid for one in self._store.sessions.values() if one.new.resource in resources
                     and provider in {link.provider for link in one.new.approved}]  # fmt: skip
            return found[:limit]

    def of_everybody(self, *, opened_before: datetime) -> Iterable[str]:
        with self._store.lock:
            return [one.tsid for one in self._store.sessions.values() if one.opened_at < opened_before]

    def of_connection(self, user_id: UUID, provider: str, *, resources: Collection[str] | None = None) -> Sequence[str]:
        with self._store.lock:
            return [one.tsid for one in reversed(self._store.sessions.values())
                    if one.new.user_id == user_id and provider in {link.provider for link in one.new.approved}
                    and (resources is None or one.new.resource in resources)]  # fmt: skip

    def of_sign_in(self, provider: str, *, user_id: UUID) -> Sequence[str]:
        with self._store.lock:
            return [one.tsid for one in reversed(self._store.sessions.values())
                    if (one.new.user_id, one.new.signed_in_with) == (user_id, provider)]  # fmt: skip

    def of_upstream_session(self, provider: str, sid: str) -> Mapping[str, UUID]:
        with self._store.lock:
            return {one.tsid: one.new.user_id for one in self._store.sessions.values()
                    if sid and (one.new.signed_in_with, one.new.upstream_sid) == (provider, sid)}  # fmt: skip

    def would_destroy(self, tsids: Collection[str], *, now: datetime) -> Sequence[str]:
        with self._store.lock:
            used: dict[bool, set[UUID]] = {True: set(), False: set()}
            for session in self._store.sessions.values():
                if session.tsid in tsids or session.is_live(now):
                    used[session.tsid in tsids].update(link.credential_id for link in session.new.approved)
            doomed = used[True] - used[False]
            return sorted(
                self._store.credentials[one].state.provider for one in doomed if one in self._store.credentials
            )

    def ended(self, resources: Collection[str], *, since: datetime, limit: int) -> Sequence[Ended]:
        with self._store.lock:
            over = [one for resource, one in self._store.ended if resource in resources and one.ended_at >= since]
            return sorted(over, key=lambda one: (one.ended_at, one.tsid))[:limit]

    def sweep(self, *, now: datetime, limit: int, revoke_at: Collection[str] = ()) -> int:
        with self._store.lock:
            expired = [session.tsid for session in self._store.sessions.values() if not session.is_live(now)][:limit]
            for tsid in expired:
                self.close(tsid, reason="expired", now=now, revoke_at=revoke_at)
            orphans = [key for key, credential in self._store.credentials.items()
                       if credential.unlinked_at and credential.unlinked_at <= now - ORPHAN_AGE]  # fmt: skip
            orphans = orphans[: limit - len(expired)]
            self._store.destroy_unused(orphans, "", now=now, revoke_at=revoke_at)
            return len(expired) + len(orphans)


class MemoryCredentials:
    """Token sets in a dict."""

    def __init__(self, store: Store, sessions: MemorySessions) -> None:
        self._store = store
        self._sessions = sessions

    def keep(self, user_id: UUID, provider: str, subject: str, tokens: TokenSet, *, now: datetime) -> CredentialState:
        check_tokens(tokens)
        check_identity(provider, subject)
        with self._store.lock:
            for held in self._store.credentials.values():
                if (held.state.user_id, held.state.provider, held.state.subject) == (user_id, provider, subject):
                    _store_tokens(held, tokenset.signed_in(tokens, held.tokens, old_is_dead=not held.state.live))
                    held.signed_in_at = held.obtained_at = now
                    held.unlinked_at = held.unlinked_at and now
                    return held.state
            state = CredentialState(uuid4(), user_id, provider, subject, (), 0, True, False, None)
            made = HeldCredential(state, tokens, signed_in_at=now, unlinked_at=now, obtained_at=now)
            _store_tokens(made, tokens)
            self._store.credentials[state.id] = made
            return made.state

    def people_at(self, provider: str, *, limit: int | None = None) -> Sequence[UUID]:
        with self._store.lock:
            held = self._store.credentials.values()
            return sorted({one.state.user_id for one in held if one.state.provider == provider})[:limit]

    def of_user(self, user_id: UUID, provider: str | None = None) -> Sequence[CredentialState]:
        with self._store.lock:
            latest_first = sorted(self._store.credentials.values(), key=lambda held: held.signed_in_at, reverse=True)
            return [held.state for held in latest_first
                    if held.state.user_id == user_id and provider in (None, held.state.provider)]  # fmt: skip

    def destroy(
        self,
        user_id: UUID,
        provider: str,
        *,
        now: datetime,
        revoke_at: Collection[str] = (),
        receipt: UUID | None = None,
    ) -> Closed:
        with self._store.lock:
            doomed = [state.id for state in self.of_user(user_id, provider)]
            for session in self._store.sessions.values():
                kept = tuple(link for link in session.new.approved if link.credential_id not in doomed)
                session.new = replace(session.new, approved=kept)
            return self._store.destroy_unused(doomed, "", now=now, revoke_at=revoke_at, receipt=receipt)

    def tokens(self, tsid: str, provider: str, *, now: datetime) -> Entry:
        entry = self.all_tokens(tsid, now=now).by_provider.get(provider)
        if entry is None:
            raise NotConnected("the session has no credential for this provider")
        return entry

    def all_tokens(self, tsid: str, *, now: datetime, only: str | None = None) -> Entries:
        with self._store.lock:
            session = self._sessions.alive(tsid, now=now)
            linked = {approved.provider: (approved, self._store.credentials.get(approved.credential_id))
                      for approved in self._store.sessions[tsid].new.approved}  # fmt: skip
            return Entries(session, {provider: Entry(session, held.state, approved.scopes, held.tokens)
                                     for provider, (approved, held) in sorted(linked.items())
                                     if held and only in (None, provider)})  # fmt: skip

    def expiring(self, *, now: datetime, until: datetime, limit: int) -> Sequence[Expiring]:
        with self._store.lock:
            found = []
            for session in self._store.sessions.values():
                if not session.is_live(now) or not self._sessions.user_is_active(session.new.user_id):
                    continue
                for approved in session.new.approved:
                    held = self._store.credentials[approved.credential_id]
                    end = held.tokens.refresh_expires_at
                    due = end is not None and now < end <= until and held.state.live and not held.is_leased(now)
                    if due and end and session.last_used_at >= held.obtained_at:
                        found.append(Expiring(held.state.id, held.state.provider, session.tsid, end))
            once = {expiring.credential_id: expiring for expiring in found}
            return sorted(once.values(), key=lambda expiring: expiring.refresh_expires_at)[:limit]

    def lease(self, credential_id: UUID, *, version_seen: int, holder: str, until: datetime, now: datetime) -> bool:
        with self._store.lock:
            held = self._seen(credential_id, version_seen)
            if held is None or not held.state.live or held.is_leased(now):
                return False
            held.lease = (holder, until)
            return True

    def replace(
        self, credential_id: UUID, tokens: TokenSet, *, version_seen: int, now: datetime, dead_reason: str = ""
    ) -> bool:
        check_tokens(tokens)
        with self._store.lock:
            held = self._seen(credential_id, version_seen)
            if held is None or not held.state.live:
                return False
            _store_tokens(held, tokenset.refreshed(tokens, held.tokens))
            held.obtained_at = now
            if dead_reason:
                held.state = replace(held.state, live=False, dead_reason=dead_reason[:64])
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

    def _seen(self, credential_id: UUID, version: int) -> HeldCredential | None:
        held = self._store.credentials.get(credential_id)
        return held if held and held.state.version == version else None


class MemoryRevocations:
    """What providers are still to be told. What is finished is forgotten."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(self, *, now: datetime, until: datetime, limit: int) -> Sequence[Revocable]:
        with self._store.lock:
            due = sorted((one for one in self._store.queue.values() if one.due_at <= now), key=lambda one: one.due_at)
            for queued in due[:limit]:
                queued.what = replace(queued.what, attempts=queued.what.attempts + 1)
                queued.due_at = until
            return [queued.what for queued in due[:limit]]

    def finish(self, revocation_id: UUID, *, state: str, outcome: str, now: datetime) -> None:
        with self._store.lock:
            self._store.queue.pop(revocation_id, None)

    def postpone(self, revocation_id: UUID, *, outcome: str, until: datetime) -> None:
        with self._store.lock:
            if queued := self._store.queue.get(revocation_id):
                queued.due_at = until


class MemoryVault:
    """One process's vault. `is_active` says whether a person may still act."""

    def __init__(self, is_active: Callable[[UUID], bool] = _user_is_active) -> None:
        store = Store()
        self.sessions = MemorySessions(store, is_active)
        self.credentials = MemoryCredentials(store, self.sessions)
        self.revocations = MemoryRevocations(store)

    def ping(self) -> None:
        """Nothing to reach."""


def _store_tokens(held: HeldCredential, tokens: TokenSet) -> None:
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
