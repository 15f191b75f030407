"""A new key takes over: every value that another key sealed is sealed anew, while everything goes on.

By primary key, in batches; each value by one write on the very text that was read, so that a refresh or a sign-in in
between wins and is looked at again. What is done is passed over the next time: interrupted, it goes on where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, Q, QuerySet, Value
from django.db.models.functions import Left
from django.db.models.lookups import Exact

from accounts import audit
from accounts.models import VaultKey
from accounts.vault.base import Damaged
from accounts.vault.sealed_columns import SealedColumn, all_columns
from accounts.vault.sealing import sealing

BATCH = 100  # a credential's sealed tokens may have 300 KB: a batch stays within some MB in any case
SLICE = 5_000  # of what is counted, of which no more than the beginning is read
_ATTEMPTS = 20  # each is lost only to a write of somebody else between our look and ours
_HEAD = 40  # characters that hold a form and a key's id


@dataclass
class Progress:
    """Of one pass over a column: how many rows have been looked at, which keys' values were sealed anew and how many of
    each, and why others did not open."""

    column: SealedColumn
    seen: int = 0
    taken_from: Counter[str] = field(default_factory=Counter)
    damaged: dict[str, str] = field(default_factory=dict)

    @property
    def resealed(self) -> int:
        return self.taken_from.total()


def sealed_by(column: SealedColumn) -> Counter[str]:
    """How many values of a column each key sealed; under `""` those that name no key at all. Read in slices, along the
    primary key: no statement is long, and none holds a snapshot of the whole table.

    A key that is not here is counted by its name if it was used here before, and no other text is: it may be planted, or
    a token in plain.
    """
    counts: Counter[str] = Counter()
    used = set(VaultKey.objects.values_list("pk", flat=True))
    heads = _filled(column).order_by("pk").values_list("pk", Left(column.field, _HEAD))
    part = list(heads[:SLICE])
    while part:
        counts.update(_key_of(head, used) for _, head in part)
        part = list(heads.filter(pk__gt=part[-1][0])[:SLICE])
    return counts


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
            progress.taken_from[_key_of(sealed, frozenset())] += 1  # it has been opened: its key is here
            return
        again = column.rows.filter(pk=row["pk"]).values("pk", column.field, *column.needs).first()
        if again is None:
            return
        row = again


def _key_of(sealed: str, used: Set[str]) -> str:
    """The id of the key that a value names, if it is one of ours or of `used`; else nothing."""
    for key_id, prefix in sealing().prefixes.items():
        if sealed.startswith(prefix):
            return key_id
    key_id = sealed.split(".")[1] if sealed.count(".") > 1 else ""
    return key_id if key_id in used else ""


def _filled(column: SealedColumn) -> QuerySet[Model]:
    return column.rows.exclude(**{column.field: ""})


def _begins(column: SealedColumn, prefix: str) -> Q:
    """To the letter: LIKE takes `K1` for `k1` on SQLite. And PostgreSQL reads no more of a long value than its start."""
    return Q(Exact(Left(column.field, len(prefix)), Value(prefix)))
