"""Refreshing before a refresh token ends unused: for sessions in use, where the provider says when it ends.

A step of `manage.py maintenance`. Through the machinery of a read: the lease and the version see to it that nothing is
refreshed twice, by however many processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from accounts.vault import vault
from accounts.vault.base import Entry, Expiring, SessionGone
from upstream.errors import NeedsReauthorization, NotConnected, TemporarilyUnavailable
from upstream.models import Provider
from upstream.refresh import Clock, renew

AHEAD = timedelta(days=1)
"""With less left than this a refresh token is renewed, and with less than half its life where that is shorter."""
ENOUGH = timedelta(seconds=20)
"""A run that took so long begins no further refresh: the process may have been asked to end."""
CANDIDATES = 10  # times `limit`, so that a provider that is down does not hide the others
RENEWED, DIED, POSTPONED = "renewed", "needing_a_new_sign_in", "postponed"


def renew_expiring(*, now: datetime | Clock, limit: int) -> Counter[str]:
    """One attempt at each of at most `limit` credentials, the first to end first: how many went which way.

    A provider that failed is not asked again in this run. What is `postponed` is as it was, and the next run's.
    """
    clock: Clock = (lambda: now) if isinstance(now, datetime) else now
    began = clock()
    counts: Counter[str] = Counter()
    providers = {provider.name: provider for provider in Provider.objects.filter(enabled=True)}
    for one in vault().credentials.expiring(now=began, until=began + AHEAD, limit=limit * CANDIDATES):
        if counts.total() >= limit or clock() - began > ENOUGH:
            break
        if one.provider not in providers:
            continue
        outcome = _renewed(one, providers[one.provider], began, clock)
        if outcome == POSTPONED:
            del providers[one.provider]
        if outcome:
            counts[outcome] += 1
    return counts


def _renewed(one: Expiring, provider: Provider, listed_at: datetime, clock: Clock) -> str:
    """What became of it; empty where it was not, or no longer, to be renewed."""
    try:
        return RENEWED if renew(one.tsid, provider, now=clock(), is_wanted=_unless_done(one, listed_at)) else ""
    except (SessionGone, NotConnected):
        return ""
    except NeedsReauthorization:
        return DIED
    except TemporarilyUnavailable:
        return POSTPONED


def _unless_done(one: Expiring, listed_at: datetime) -> Callable[[Entry], bool]:
    """Whether what was listed is still so: another process may have been here in between."""

    def is_wanted(entry: Entry) -> bool:
        tokens = entry.tokens
        if not entry.session.user_is_active or not tokens.refresh_token:
            return False
        if tokens.refresh_expires_at != one.refresh_expires_at or not _is_near(
            one.refresh_expires_at, entry, listed_at
        ):
            return False
        return tokens.obtained_at is None or tokens.obtained_at < listed_at

    return is_wanted


def _is_near(end: datetime, entry: Entry, now: datetime) -> bool:
    obtained_at = entry.tokens.obtained_at
    life = end - obtained_at if obtained_at else AHEAD
    return now < end <= now + min(AHEAD, life / 2)
