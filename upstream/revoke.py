"""The queue of what providers are still to be told: take one, tell, note how it went.

The vault fills it where the last session of a credential ends (`Sessions.close`), in the same transaction, for the
providers of `providers_to_tell`. Whoever works it holds a claim that runs out, so what a crash leaves behind is taken up
by another. Each receipt ends with an audit event, `upstream.revoked`.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from accounts import audit
from accounts.models import Revocation
from accounts.vault import vault
from accounts.vault.base import Revocable
from upstream.errors import TemporarilyUnavailable
from upstream.models import Provider
from upstream.revoke_call import SLOWLY_SECONDS, TIMEOUT_SECONDS, Told, tell

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=12 * TIMEOUT_SECONDS)
"""Longer than all calls that one credential takes, with what they may have to look up first."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
MAX_ATTEMPTS = 36  # with these pauses, about a week
POSTPONED = "postponed"

Clock = Callable[[], datetime]


MAX_AGE_SECONDS = 5.0
_told: tuple[float, frozenset[str]] | None = None


def providers_to_tell() -> frozenset[str]:
    """The providers that are to be told when a credential is no longer used: the `revoke_at` of the vault.

    Read at most every five seconds a process: every ending asks, and an operator who has just switched it on does not
    mind a session that ended in the same breath.
    """
    global _told  # noqa: PLW0603 - the process's one copy
    if _told is None or time.monotonic() - _told[0] >= MAX_AGE_SECONDS:
        telling = Provider.objects.filter(on_session_end=Provider.SessionEnd.REVOKE)
        _told = (time.monotonic(), frozenset(telling.values_list("name", flat=True)))
    return _told[1]


def forget() -> None:
    """Read again next time: called after a change, so that the process that made it sees it at once."""
    global _told  # noqa: PLW0603 - as above
    _told = None


def work_queue(*, now: datetime | Clock, limit: int) -> Counter[str]:
    """Work off what is due, `limit` at most; how many ended in each state of a receipt, or were `postponed`.

    A provider that could not be told is left alone for the rest of the run: one that hangs does not hold up the others.
    """
    clock: Clock = (lambda: now) if isinstance(now, datetime) else now
    counts: Counter[str] = Counter()
    resting: dict[str, TemporarilyUnavailable] = {}
    for _ in range(limit):
        started = clock()
        claimed = vault().revocations.claim(now=started, until=started + LEASE, limit=1)
        if not claimed:
            break
        counts[_work(claimed[0], resting, clock)] += 1
    return counts


def _work(what: Revocable, resting: dict[str, TemporarilyUnavailable], clock: Clock) -> str:
    try:
        told = _tell(what, resting, clock())
    except TemporarilyUnavailable as error:
        resting[what.provider] = error
        if what.attempts < MAX_ATTEMPTS:
            _postpone(what, error, clock())
            return POSTPONED
        told = Told(Revocation.State.FAILED, error.reason)
    _finish(what, told, clock())
    return told.state


def _tell(what: Revocable, resting: dict[str, TemporarilyUnavailable], now: datetime) -> Told:
    """Raises `TemporarilyUnavailable` where it has to be tried again."""
    if what.attempts > MAX_ATTEMPTS:  # whoever had the last one did not live to say how it went
        return Told(Revocation.State.FAILED, "never_finished")
    provider = Provider.objects.filter(name=what.provider).first()
    if provider is None:
        return Told(Revocation.State.NOT_NEEDED, "provider_gone")
    if _connected_again(what):
        return Told(Revocation.State.NOT_NEEDED, "connected_again")
    if not provider.enabled:
        raise TemporarilyUnavailable("provider_disabled", provider=provider.name, retry_after_seconds=SLOWLY_SECONDS)
    if provider.name in resting:
        raise resting[provider.name]
    return tell(provider, what.tokens, now=now)


def _connected_again(what: Revocable) -> bool:
    """Whether the same account was connected anew: at GitHub and Google the old token's end may be the new one's too."""
    held = vault().credentials.of_user(what.user_id, what.provider)
    return any(credential.live and credential.subject == what.subject for credential in held)


def _postpone(what: Revocable, error: TemporarilyUnavailable, now: datetime) -> None:
    """Twice as long as the last time, never before the provider's own word, and not all at the same moment."""
    pause = min(FIRST_PAUSE * 2 ** (what.attempts - 1), LONGEST_PAUSE)
    pause = max(pause, timedelta(seconds=error.retry_after_seconds))
    pause *= random.uniform(1, 1.1)  # noqa: S311 - spreads retries, guards nothing
    vault().revocations.postpone(what.id, outcome=error.reason, until=now + pause)
    log.info("upstream.revoke", outcome=POSTPONED, reason=error.reason, attempts=what.attempts, upstream=what.provider)


def _finish(what: Revocable, told: Told, now: datetime) -> None:
    """The receipt and the audit event: both or neither."""
    failed = told.state == Revocation.State.FAILED
    with transaction.atomic():
        vault().revocations.finish(what.id, state=told.state, outcome=told.outcome, now=now)
        audit.record(
            "upstream.revoked",
            outcome="failed" if failed else "ok",
            reason=told.outcome,
            user_id=what.user_id,
            tsid=what.tsid,
            upstream=what.provider,
            receipt=what.receipt,
            now=now,
            attempts=what.attempts,
        )
    if failed:
        log.warning(
            "upstream.revoke", outcome="failed", reason=told.outcome, attempts=what.attempts, upstream=what.provider
        )
