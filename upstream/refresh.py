"""Fresh tokens for (tsid, provider): read, lease, refresh, store, answer (behaviour.md, Upstream refresh).

One refresh at a time for a credential over all processes and hosts: the lease is a conditional write in the vault, and
nothing is locked while the provider is asked. Late comers read the winner's result. A lease that its holder left behind
runs out, and a late comer takes over.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NoReturn

import structlog
from django.db import DatabaseError, InterfaceError

from accounts import audit, metrics, tracing
from accounts.vault import base, tokenset, vault
from accounts.vault.base import Entry, Session, TokenSet
from accounts.vault.sealing import sealing
from upstream import refreshed_id_token
from upstream.errors import MissingScope, NeedsReauthorization, NotConnected, TemporarilyUnavailable
from upstream.models import Provider
from upstream.refresh_call import TIMEOUT_SECONDS, refresh
from upstream.refresh_store import STORE_SECONDS, let_go, store

log = structlog.get_logger(__name__)

FRESH_FOR = timedelta(seconds=60)
"""With less left than this, a token is refreshed before it is given out; one that lives under two minutes, at half its life."""
SEND_WITHIN = timedelta(seconds=10)
"""How long after taking its lease a holder may still send the refresh token: who was held up longer sends nothing."""
SPARE_SECONDS = 15  # hosts whose clocks disagree, and a last attempt to store that waits for a connection
LEASE = SEND_WITHIN + timedelta(seconds=TIMEOUT_SECONDS + STORE_SECONDS + SPARE_SECONDS)
"""Longer than all that its holder does, so that no two send one refresh token."""
WAIT_SECONDS = 12.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 0.25

Clock = Callable[[], datetime]
Accept = Callable[[Session], None]


@dataclass(frozen=True)
class Fresh:
    """A token to give out. `scopes` are what the provider granted it; `entry` is the session's view it was read from."""

    access_token: str = field(repr=False)
    token_type: str
    scopes: tuple[str, ...]
    expires_at: datetime | None
    entry: Entry = field(repr=False)


def fresh_tokens(
    tsid: str,
    provider: Provider,
    *,
    now: datetime | Clock,
    wanted_scopes: Sequence[str] = (),
    accept: Accept | None = None,
    seen: Entry | None = None,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Fresh:
    """The session's token at this provider, with at least a minute left or without an end.

    `accept` sees the session before anything else is done with it and may raise. One statement while the token is
    fresh, none where the entry was `seen` just now. Raises `NotConnected`, `NeedsReauthorization`, `MissingScope`,
    `TemporarilyUnavailable`, and the vault's `SessionGone`.
    """
    if not provider.enabled:
        raise TemporarilyUnavailable("provider_disabled", provider=provider.name, retry_after_seconds=60)
    attempt = _Attempt(tsid, provider, going_on(now, monotonic), tuple(wanted_scopes), accept, sleep, monotonic)
    entry = attempt.read() if seen is None else attempt.check(seen)
    if attempt.is_fresh(entry):
        return _fresh(entry)
    give_up_at = monotonic() + WAIT_SECONDS
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            if (refreshed := attempt.try_refresh(entry)) is not None:
                return refreshed
        except TemporarilyUnavailable as error:
            return attempt.make_do(entry, error)
        if monotonic() >= give_up_at:
            return attempt.make_do(entry, TemporarilyUnavailable("refresh_under_way", provider=provider.name))
        let_go()
        sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
        entry = attempt.read()
        if attempt.is_fresh(entry):
            return _fresh(entry)


def renew(tsid: str, provider: Provider, *, now: datetime | Clock, is_wanted: Callable[[Entry], bool]) -> bool:
    """One attempt to refresh, however fresh the tokens are, if `is_wanted` says so of the entry as it is now.

    False where it was not wanted, or somebody else is at it. Raises as `fresh_tokens` does.
    """
    attempt = _Attempt(tsid, provider, going_on(now), (), None)
    entry = attempt.read()
    return is_wanted(entry) and attempt.try_refresh(entry) is not None


def is_due(entry: Entry, now: datetime) -> bool:
    """Whether this entry's token is to be refreshed before it is given out, as far as that can be."""
    return entry.credential.live and not _lasts(entry.tokens.expires_at, now + _due(entry.tokens))


def going_on(now: datetime | Clock, monotonic: Callable[[], float] = time.monotonic) -> Clock:
    """A clock that goes on from `now` where it was given as a moment: waiting takes time."""
    if not isinstance(now, datetime):
        return now
    began = monotonic()
    return lambda: now + timedelta(seconds=monotonic() - began)


def _fresh(entry: Entry) -> Fresh:
    tokens = entry.tokens
    return Fresh(tokens.access_token, tokens.token_type, tokens.scopes, tokens.expires_at, entry)


@dataclass(frozen=True)
class _Attempt:
    """One caller's way to a fresh token."""

    tsid: str
    provider: Provider
    clock: Clock
    wanted_scopes: tuple[str, ...]
    accept: Accept | None
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic

    def read(self) -> Entry:
        """The entry as it is now, if a token may come of it."""
        name = self.provider.name
        try:
            entry = vault().credentials.tokens(self.tsid, name, now=self.clock())
        except base.NotConnected:
            raise NotConnected("not_connected", provider=name) from None
        except base.Damaged:  # the vault has said so, loudly; a new sign-in is what mends it
            raise NeedsReauthorization("damaged", provider=name) from None
        except base.SealingUnavailable:
            raise TemporarilyUnavailable("sealing_unavailable", provider=name) from None
        return self.check(entry)

    def check(self, entry: Entry) -> Entry:
        """The same entry, if a token may come of it."""
        name = self.provider.name
        if self.accept is not None:
            self.accept(entry.session)
        if not entry.credential.live:
            raise NeedsReauthorization(entry.credential.dead_reason or "dead", provider=name)
        held = set(entry.tokens.scopes) & set(entry.approved_scopes)
        if missing := [scope for scope in self.wanted_scopes if scope not in held]:
            raise MissingScope(missing, provider=name)
        return entry

    def is_fresh(self, entry: Entry) -> bool:
        return _lasts(entry.tokens.expires_at, self.clock() + _due(entry.tokens))

    def try_refresh(self, entry: Entry) -> Fresh | None:
        """Refresh, if this caller gets to be the one who does; None where it has to look again."""
        seen, now = entry.credential, self.clock()
        if not entry.tokens.refresh_token or not _lasts(entry.tokens.refresh_expires_at, now):
            if _lasts(entry.tokens.expires_at, now):
                return _fresh(entry)
            self._bury(entry, "refresh_token_expired" if entry.tokens.refresh_token else "no_refresh_token")
            return None
        holder = secrets.token_hex(16)
        if not vault().credentials.lease(seen.id, version_seen=seen.version, holder=holder, until=now + LEASE, now=now):
            return None
        try:
            with tracing.span("upstream.refresh", upstream=self.provider.name):
                return self._refresh(entry, send_until=now + SEND_WITHIN)
        except TemporarilyUnavailable as error:
            metrics.UPSTREAM_REFRESHES.count(self.provider.name, "failed")
            log.warning("upstream.refresh", outcome="failed", reason=error.reason, upstream=self.provider.name)
            self._give_back(entry, holder)
            raise
        except NeedsReauthorization:
            raise  # stored, and the lease ended with it
        except BaseException:
            self._give_back(entry, holder)  # so that nobody has to wait for it to run out
            raise

    def _refresh(self, entry: Entry, send_until: datetime) -> Fresh | None:
        """As the holder of the lease; None where another write came between, and its tokens are newer."""
        seen = entry.credential

        def before_sending() -> None:
            sealing().ready()  # or what comes back could not be stored
            if self.clock() > send_until:
                raise TemporarilyUnavailable("held_up", provider=self.provider.name)

        let_go()
        issuer = refreshed_id_token.issuer(self.provider)  # nothing may have to be fetched once the answer is there
        try:
            given = refresh(self.provider, entry.tokens, now=self.clock(), before_sending=before_sending)
            flaw = refreshed_id_token.flaw(self.provider, issuer, given.id_token, entry.tokens.id_token, seen.subject)
            # Stored whatever is wrong with it: the provider may have forgotten the old tokens already. Dead in the same
            # write, for whoever waits reads what is stored at once.
            if not store(seen, given, dead_reason=flaw, now=self.clock, sleep=self.sleep, monotonic=self.monotonic):
                return None
        except NeedsReauthorization as error:
            self._bury(entry, error.reason)
            return None
        except base.Unstorable:
            self._bury(entry, "answer_cannot_be_stored")
            return None
        except base.Damaged:  # since it was read, and the vault has said so; what the answer left out is lost
            self._bury(entry, "damaged")
            return None
        if flaw:
            self._died(entry, flaw)
        metrics.UPSTREAM_REFRESHES.count(self.provider.name, "ok")
        log.info("upstream.refresh", outcome="ok", upstream=self.provider.name, user_id=str(seen.user_id))
        return _fresh(_with(entry, given))

    def _give_back(self, entry: Entry, holder: str) -> None:
        """The lease, without a result. Where the database is away, it runs out by itself."""
        with contextlib.suppress(DatabaseError, InterfaceError):
            vault().credentials.release(entry.credential.id, holder=holder)

    def make_do(self, entry: Entry, error: TemporarilyUnavailable) -> Fresh:
        """The token held, while it lives: better than none. Raises `error` otherwise."""
        if _lasts(entry.tokens.expires_at, self.clock()):
            return _fresh(entry)
        raise error

    def _bury(self, entry: Entry, reason: str) -> None:
        """Mark the credential dead, say so and raise. Returns only where another write was quicker: then look again."""
        seen = entry.credential
        if vault().credentials.mark_dead(seen.id, version_seen=seen.version, reason=reason, now=self.clock()):
            self._died(entry, reason)

    def _died(self, entry: Entry, reason: str) -> NoReturn:
        metrics.UPSTREAM_REFRESHES.count(self.provider.name, "died")
        audit.record(
            "upstream.credential_died",
            outcome="failed",
            reason=reason,
            user_id=entry.credential.user_id,
            tsid=self.tsid,
            upstream=self.provider.name,
        )
        raise NeedsReauthorization(reason, provider=self.provider.name)


def _due(tokens: TokenSet) -> timedelta:
    """How long before its end a token is refreshed: a minute, and half its life where that is shorter.

    Otherwise a provider whose tokens live a minute would be asked anew by every caller.
    """
    if tokens.expires_at is None or tokens.obtained_at is None:
        return FRESH_FOR
    return min(FRESH_FOR, (tokens.expires_at - tokens.obtained_at) / 2)


def _lasts(end: datetime | None, until: datetime) -> bool:
    return end is None or end > until


def _with(entry: Entry, given: TokenSet) -> Entry:
    """The entry as it reads now, without reading it again."""
    tokens = tokenset.refreshed(given, entry.tokens)
    credential = replace(
        entry.credential, version=entry.credential.version + 1, scopes=tokens.scopes, expires_at=tokens.expires_at
    )
    return replace(entry, tokens=tokens, credential=credential)
