"""Writes whose SQL is made once a process, as `accounts.prepared` does for reads: the ORM's fields, and none of its work.

No signal is sent. Constraints, defaults, what a field does before it is saved, and the key that the database gives are as
always.

    _TURN = PreparedUpdate(lambda: Token.objects.filter(pk=slot("pk", BigAutoField()), number=slot("seen", IntegerField())),
                           "number", "used_at")
    _TURN.run(pk=token.pk, seen=4, number=5, used_at=now)     # how many rows
    PreparedInsert(Token).save(Token(...))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Field, Model, QuerySet
from django.db.models.sql import UpdateQuery
from django.db.transaction import mark_for_rollback_on_error

from accounts.prepared import Slot, bound

Row = TypeVar("Row", bound=Model)


def _execute(sql: str, parameters: Sequence[Any], *, returns: bool = False) -> tuple[int, list[tuple[Any, ...]]]:
    """How many rows, and what they return. A transaction that this fails in is not committed, whoever catches the error."""
    with mark_for_rollback_on_error(DEFAULT_DB_ALIAS), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.rowcount, cursor.fetchall() if returns else []


class PreparedUpdate:
    """An UPDATE of `columns` in the rows that a queryset with slots finds. A slot may not have a column's name."""

    def __init__(self, queryset: Callable[[], QuerySet[Any]], *columns: str) -> None:
        self._make = queryset
        self._columns = columns

    def run(self, **values: Any) -> int:
        """A value for each slot and each column; how many rows were changed. One statement."""
        sql, parameters = self._compiled
        return _execute(sql, [bound(parameter, values) for parameter in parameters])[0]

    @cached_property
    def _compiled(self) -> tuple[str, Sequence[Any]]:
        rows = self._make()
        query: Any = rows.query.chain(UpdateQuery)
        field_of = rows.model._meta.get_field
        query.add_update_values({name: Slot(name, output_field=field_of(name)) for name in self._columns})
        sql, parameters = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
        return sql, parameters


class PreparedInsert(Generic[Row]):
    """An INSERT of whole rows of a model."""

    def __init__(self, model: type[Row]) -> None:
        self._model = model

    def save(self, row: Row) -> None:
        """As `save(force_insert=True)`. One statement. Raises `IntegrityError` as that does."""
        self.save_all([row])

    def save_all(self, rows: Sequence[Row]) -> None:
        """Some rows, all of them or none, in one statement; for no rows in none."""
        if not rows:
            return
        parameters = [
            field.get_db_prep_save(field.pre_save(row, add=True), connection) for row in rows for field in self._fields
        ]
        places = f"({', '.join(['%s'] * len(self._fields))})"
        statement = f"{self._into} VALUES {', '.join([places] * len(rows))}{self._returning}"
        _, keys = _execute(statement, parameters, returns=bool(self._returning))
        for row in rows:
            row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
        for row, (key,) in zip(rows, keys, strict=bool(keys)):
            row.pk = key

    @cached_property
    def _fields(self) -> list[Field[Any, Any]]:
        """All but a key that the database gives."""
        return [field for field in self._model._meta.concrete_fields if not getattr(field, "db_returning", False)]

    @cached_property
    def _into(self) -> str:
        quote = connection.ops.quote_name
        columns = ", ".join(quote(field.column) for field in self._fields if field.column)
        return f"INSERT INTO {quote(self._model._meta.db_table)} ({columns})"

    @cached_property
    def _returning(self) -> str:
        key = self._model._meta.pk
        return (
            f" RETURNING {connection.ops.quote_name(key.column or '')}" if getattr(key, "db_returning", False) else ""
        )
