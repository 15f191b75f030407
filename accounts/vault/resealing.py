"""A new key takes over: every value that another key sealed is sealed anew, while everything goes on.

By primary key, in batches; each value by one write on the very text that was read, so that a refresh or a sign-in in
between wins and is looked at again. What is done is passed over the next time: interrupted, it goes on where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Count, Model, Q, QuerySet, Value
from django.db.models.functions import Left
from django.db.models.lookups import Exact

from accounts import audit
from accounts.models import VaultKey
from accounts.vault.base import Damaged
from accounts.vault.sealed_columns import SealedColumn, all_columns
from accounts.vault.sealing import sealing

BATCH = 100  # a credential's sealed tokens may have 300 KB: a batch stays within some MB in any case
_ATTEMPTS = 20  # each is lost only to a write of somebody else between our look and ours
_HEAD = 40  # characters that hold a form and a key's id


@dataclass
class Progress:
    """Of one pass over a column: how many rows have been looked at, how many sealed anew, and why others did not open."""

    column: SealedColumn
    seen: int = 0
    resealed: int = 0
    damaged: dict[str, str] = field(default_factory=dict)


def sealed_by(column: SealedColumn) -> Counter[str]:
    """How many values of a column each key sealed, in one reading of it; under `""` those that name no key at all.

    A key that is not here is counted by its name if it was used here before, and no other text is: it may be planted, or
    a token in plain.
    """
    prefixes = list(sealing().prefixes.items())
    rows = _filled(column)
    counted = rows.aggregate(
        total=Count("pk"),
        **{f"key{number}": Count("pk", filter=_begins(column, prefix)) for number, (_, prefix) in enumerate(prefixes)},
    )
    counts = Counter({key_id: counted[f"key{number}"] for number, (key_id, _) in enumerate(prefixes)})
    if counted["total"] > counts.total():
        used = set(VaultKey.objects.values_list("pk", flat=True))
        here = reduce(or_, (_begins(column, prefix) for _, prefix in prefixes))
        for head in rows.exclude(here).values_list(Left(column.field, _HEAD), flat=True).iterator():
            key_id = head.split(".")[1] if head.count(".") > 1 else ""
            counts[key_id if key_id in used else ""] += 1
    return +counts


def left_over() -> Counter[str]:
    """How many values each other key still sealed, over all columns; empty when the first key has taken over."""
    left: Counter[str] = Counter()
    for column in all_columns():
        left += sealed_by(column)
    del left[next(iter(sealing().prefixes))]
    return left


def to_reseal(column: SealedColumn) -> QuerySet[Model]:
    """The rows whose value the first key did not seal."""
    return _filled(column).exclude(_begins(column, next(iter(sealing().prefixes.values()))))


def reseal(column: SealedColumn) -> Iterator[Progress]:
    """Seal what other keys sealed with the first one; yields after each batch, the same object."""
    progress = Progress(column)
    rows = to_reseal(column).order_by("pk").values("pk", column.field, *column.needs)
    batch = list(rows[:BATCH])
    while batch:
        for row in batch:
            _reseal_row(column, row, progress)
        progress.seen += len(batch)
        yield progress
        batch = list(rows.filter(pk__gt=batch[-1]["pk"])[:BATCH])


def _reseal_row(column: SealedColumn, row: dict[str, Any], progress: Progress) -> None:
    """One value. Whoever wrote it meanwhile wrote it with a key of their own: look again."""
    prefix = next(iter(sealing().prefixes.values()))
    for _ in range(_ATTEMPTS):
        sealed: str = row[column.field]
        if not sealed or sealed.startswith(prefix):
            return
        try:
            anew = sealing().seal(sealing().open(sealed, column.context(row)), column.context(row))
        except Damaged as error:
            progress.damaged[str(row["pk"])] = str(error)
            audit.record("vault.damaged", outcome="failed", reason=str(error), actor="rotate_vault_key",
                         model=column.model, object=str(row["pk"]))  # fmt: skip
            return
        written = column.rows.filter(Q(pk=row["pk"]) & Q(**{column.field: sealed}))
        if written.update(**{column.field: anew}):
            progress.resealed += 1
            return
        again = column.rows.filter(pk=row["pk"]).values("pk", column.field, *column.needs).first()
        if again is None:
            return
        row = again


def _filled(column: SealedColumn) -> QuerySet[Model]:
    return column.rows.exclude(**{column.field: ""})


def _begins(column: SealedColumn, prefix: str) -> Q:
    """To the letter: LIKE takes `K1` for `k1` on SQLite. And PostgreSQL reads no more of a long value than its start."""
    return Q(Exact(Left(column.field, len(prefix)), Value(prefix)))
