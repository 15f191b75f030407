"""A new key takes over: every value that another key sealed is sealed anew, while everything goes on.

By primary key, in batches; each value by one write on the very text that was read, so that a refresh or a sign-in in
between wins and is looked at again. What is done is passed over the next time: interrupted, it goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from accounts import audit
from accounts.vault.base import Damaged
from accounts.vault.sealed_columns import SealedColumn, all_columns
from accounts.vault.sealing import sealing

BATCH = 100  # a credential's sealed tokens may have 300 KB: a batch stays within some MB in any case
_ATTEMPTS = 20  # each is lost only to a write of somebody else between our look and ours


@dataclass
class Progress:
    """Of one column: how many rows have been looked at, sealed anew, and did not open (their keys)."""

    column: SealedColumn
    seen: int = 0
    resealed: int = 0
    damaged: int = 0


def sealed_by(column: SealedColumn) -> dict[str, int]:
    """How many values of a column each key sealed; under `""` those that name no key of this process."""
    rows = column.rows.exclude(**{column.field: ""})
    counts = {
        key_id: found
        for key_id, prefix in sealing().prefixes.items()
        if (found := rows.filter(**{f"{column.field}__startswith": prefix}).count())
    }
    if others := rows.count() - sum(counts.values()):
        counts[""] = others
    return counts


def left_over() -> dict[str, int]:
    """How many values each other key still sealed, over all columns; empty when the first key has taken over."""
    first = next(iter(sealing().prefixes))
    left: dict[str, int] = {}
    for column in all_columns():
        for key_id, number in sealed_by(column).items():
            if key_id != first:
                left[key_id] = left.get(key_id, 0) + number
    return left


def reseal(column: SealedColumn) -> Iterator[Progress]:
    """Seal what other keys sealed with the first one; yields after each batch, the same object."""
    progress = Progress(column)
    prefix = next(iter(sealing().prefixes.values()))
    last: Any = None
    while True:
        rows = column.rows.exclude(**{column.field: ""}).order_by("pk")
        batch = list(
            (rows if last is None else rows.filter(pk__gt=last)).values("pk", column.field, *column.needs)[:BATCH]
        )
        for row in batch:
            if not row[column.field].startswith(prefix):
                _reseal_row(column, row, progress)
        progress.seen += len(batch)
        yield progress
        if len(batch) < BATCH:
            return
        last = batch[-1]["pk"]


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
            progress.damaged += 1
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
