"""Counting no further than anybody reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.formats import number_format

AT_MOST = 10_000


@dataclass(frozen=True)
class Bounded:
    """A count, or that it is more."""

    count: int
    at_most: int = AT_MOST

    @classmethod
    def of(cls, rows: QuerySet[Any, Any], at_most: int = AT_MOST) -> Bounded:
        """One statement, which reads `at_most` + 1 rows at most."""
        return cls(rows.order_by()[: at_most + 1].count(), at_most)

    def __bool__(self) -> bool:
        return bool(self.count)

    def __str__(self) -> str:
        words = number_format(min(self.count, self.at_most), force_grouping=True)
        return f"{words}+" if self.count > self.at_most else words
