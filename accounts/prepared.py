"""Reads that the ORM writes once a process, for the requests that come all day.

To make SQL of a joined read costs the ORM several times what the database needs to answer it. A `Prepared` read keeps what
the compiler made, and each call only binds its values; rows become instances by Django's own hands. So the query stays
where it was, in the ORM's words.

    by_hash = Prepared(lambda: Grant.objects.select_related("user").filter(code=slot("code")))
    by_hash.first(code=code_hash(code))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import CharField, Field, QuerySet, Value

Row = TypeVar("Row")


class Slot(Value):
    """A place in a query for a value that comes with each call; `output_field` is how the database is told it."""

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [self]


def slot(name: str, output_field: Field[Any, Any] | None = None) -> Slot:
    """A slot for text, unless another field is named."""
    return Slot(name, output_field=output_field or CharField())


def bound(parameter: Any, values: Mapping[str, Any]) -> Any:
    """What the database is told for a parameter of a kept statement: a slot's value, else the parameter itself."""
    if not isinstance(parameter, Slot):
        return parameter
    return parameter.output_field.get_db_prep_save(values[parameter.value], connection)


class Prepared(Generic[Row]):
    """A read with slots. `queryset` is called once, when it is needed first; it may not be sliced, nor ordered by a slot."""

    def __init__(self, queryset: Callable[[], QuerySet[Any, Row]]) -> None:
        self._make = queryset

    def all(self, **values: Any) -> list[Row]:
        """The rows, each slot given its value. One statement."""
        parameters = tuple(bound(parameter, values) for parameter in self._parameters)
        compiler = copy(self._compiler)
        compiler.connection = connection  # each thread has its own
        compiler.as_sql = lambda *args, **kwargs: (self._sql, parameters)
        compiler.get_converters = lambda expressions: self._converters
        rows = self._queryset.all()  # one of this call's own
        rows.query.get_compiler = lambda *args, **kwargs: compiler  # type: ignore[method-assign]  # and no new one
        return list(rows)

    def first(self, **values: Any) -> Row | None:
        """The first row, or None where there is none; for a read by what is unique."""
        rows = self.all(**values)
        return rows[0] if rows else None

    @cached_property
    def _queryset(self) -> QuerySet[Any, Row]:
        return self._make()

    @cached_property
    def _compiled(self) -> tuple[Any, str, Sequence[Any], Any]:
        compiler = self._queryset.query.get_compiler(using=DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([column for column, _, _ in compiler.select])
        return compiler, sql, parameters, converters

    @property
    def _compiler(self) -> Any:
        return self._compiled[0]

    @property
    def _sql(self) -> str:
        return self._compiled[1]

    @property
    def _parameters(self) -> Sequence[Any]:
        return self._compiled[2]

    @property
    def _converters(self) -> Any:
        return self._compiled[3]
