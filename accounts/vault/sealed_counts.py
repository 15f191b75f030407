"""What each vault key seals, counted and kept: counting reads every row, which no page does.

`maintenance` counts each column once an hour, `rotate_vault_key` while it goes on.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from accounts.models import SealedCount
from accounts.vault.resealing import sealed_by
from accounts.vault.sealed_columns import SealedColumn, all_columns

FRESH = timedelta(hours=1)


def count(column: SealedColumn, *, now: datetime) -> Counter[str]:
    """Count and keep; answers values by key, as `sealed_by` does."""
    counts = sealed_by(column)
    keep(column, counts, now=now)
    return counts


def keep(column: SealedColumn, counts: Counter[str], *, now: datetime) -> None:
    SealedCount.objects.update_or_create(column=str(column), defaults={"by_key": dict(+counts), "counted_at": now})


def count_stale(*, now: datetime, limit: int) -> int:
    """Count the next columns that nobody has counted for an hour, `limit` at most; how many."""
    fresh = set(SealedCount.objects.filter(counted_at__gt=now - FRESH).values_list("pk", flat=True))
    stale = [column for column in all_columns() if str(column) not in fresh][:limit]
    for column in stale:
        count(column, now=now)
    return len(stale)
