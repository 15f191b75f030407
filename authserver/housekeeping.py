"""What has to be done from time to time, whoever does it: the steps of `manage.py maintenance`.

Any number of processes may do any step at once: each claims what it works on, or deletes what nobody else holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from django.utils import timezone

from accounts import tallies
from accounts.vault import sealed_counts, vault
from authserver import erasure
from authserver.housekeeping_purges import HISTORIES, PURGES, History, Purge
from authserver.keys import rotation
from authserver.registration import unused
from upstream import renewal, revoke

MINUTE = 60


@dataclass(frozen=True)
class Step:
    """`batch` does some of the work, `limit` at most, and says how much of what; `every_seconds` is its pace in a loop.

    `once` is for work that stays where it was when it failed: it would come again at once.
    """

    name: str
    every_seconds: float
    limit: int
    batch: Callable[[int], Counter[str]]
    once: bool = False

    def run(self, *, enough: Callable[[], bool] = lambda: False) -> Counter[str]:
        """Batch after batch until nothing is left, or `enough` says so in between; one if `once`."""
        done: Counter[str] = Counter()
        while True:
            batch = self.batch(self.limit)
            done += batch
            if self.once or batch.total() < self.limit or enough():
                return done


def steps() -> Iterator[Step]:
    """In the order in which one leads to the next: what is swept may have to be revoked, and leaves a receipt."""
    yield Step("token sessions", MINUTE, 200, _sweep)
    yield Step("revocations at providers", 5, 20, _revoke)
    yield Step("renewal", MINUTE, 100, _renew, once=True)
    yield Step("unused registrations", 60 * MINUTE, 100, _unused)
    yield Step("forgotten people", 60 * MINUTE, 50, _forgotten)
    yield Step("signing keys", 10 * MINUTE, 1, _turn_signing_keys, once=True)
    yield Step("vault keys", 10 * MINUTE, 10, _count_sealed)
    yield Step("hours of the audit trail", 5 * MINUTE, 24, _count_hours)  # before the trail is shortened
    for history in HISTORIES:
        yield Step(history.what, 5 * MINUTE, 1000, partial(_purge, history))
    for purge in PURGES:
        yield Step(purge.what, 5 * MINUTE, 1000, partial(_purge, purge))


def _sweep(limit: int) -> Counter[str]:
    """Sessions that ran out, and credentials that no session was opened with."""
    return Counter(ended=vault().sessions.sweep(now=timezone.now(), limit=limit, revoke_at=revoke.providers_to_tell()))


def _revoke(limit: int) -> Counter[str]:
    return revoke.work_queue(now=timezone.now, limit=limit)


def _renew(limit: int) -> Counter[str]:
    return renewal.renew_expiring(now=timezone.now, limit=limit)


def _unused(limit: int) -> Counter[str]:
    return unused.remove_unused(now=timezone.now(), limit=limit)


def _forgotten(limit: int) -> Counter[str]:
    return Counter(deleted=erasure.purge(now=timezone.now(), limit=limit))


def _turn_signing_keys(limit: int) -> Counter[str]:
    turn = rotation.keep_schedule(now=timezone.now())
    return Counter(
        published=int(bool(turn.published)), now_signing=int(bool(turn.activated)), removed=len(turn.removed)
    )


def _count_sealed(limit: int) -> Counter[str]:
    return Counter(counted=sealed_counts.count_stale(now=timezone.now(), limit=limit))


def _count_hours(limit: int) -> Counter[str]:
    return Counter(counted=tallies.count_hours(now=timezone.now(), limit=limit))


def _purge(purge: Purge | History, limit: int) -> Counter[str]:
    return Counter(deleted=purge.batch(now=timezone.now(), limit=limit))
