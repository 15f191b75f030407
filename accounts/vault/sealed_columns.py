"""Every column that holds sealed values, so that a new key can take all of them over.

Each application registers its own when it is ready: `accounts` knows nothing of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet


@dataclass(frozen=True)
class SealedColumn:
    """`model` is `app.Model`, `field` the column; `context` makes the sealing context of a row from its `needs`."""

    model: str
    field: str
    needs: tuple[str, ...]
    context: Callable[[Mapping[str, Any]], str]

    @property
    def rows(self) -> QuerySet[Model]:
        rows: QuerySet[Model] = apps.get_model(self.model)._default_manager.all()
        return rows

    def __str__(self) -> str:
        return f"{self.model}.{self.field}"


_columns: dict[str, SealedColumn] = {}


def register(column: SealedColumn) -> None:
    _columns[str(column)] = column


def all_columns() -> list[SealedColumn]:
    """By name."""
    return [_columns[name] for name in sorted(_columns)]
