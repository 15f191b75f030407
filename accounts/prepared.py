"""Reads that the ORM writes once a process, for the requests that come all day.

To make SQL of a joined read costs the ORM several times what the database needs to answer it. A `Prepared` read keeps what
the compiler made, and each call only binds its values and makes instances of the rows. So the query stays where it was, in
the ORM's words.

    by_hash = Prepared(lambda: Grant.objects.select_related("user").filter(code=slot("code")))
    by_hash.first(code=code_hash(code))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import CharField, Field, QuerySet, Value
from django.db.models.query import FlatValuesListIterable, ModelIterable, get_related_populators

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
        kept = self._kept
        with connection.cursor() as cursor:
            cursor.execute(kept.sql, [bound(parameter, values) for parameter in kept.parameters])
            rows = cursor.fetchall()
        return [kept.instance(self._converted(row)) for row in rows]

    def first(self, **values: Any) -> Row | None:
        """The first row, or None where there is none; for a read by what is unique."""
        rows = self.all(**values)
        return rows[0] if rows else None

    def _converted(self, row: Sequence[Any]) -> Sequence[Any]:
        """A database's values as their fields have them (`SQLCompiler.apply_converters`)."""
        columns = list(row)
        for position, converters, expression in self._kept.converters:
            for convert in converters:
                columns[position] = convert(columns[position], expression, connection)
        return columns

    @cached_property
    def _kept(self) -> Kept:
        queryset = self._make()
        compiler = queryset.query.get_compiler(using=DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([column for column, _, _ in compiler.select])
        return Kept(
            sql,
            parameters,
            [(position, each, expression) for position, (each, expression) in converters.items()],
            _rows_of(queryset, compiler),
        )


@dataclass(frozen=True)
class Kept:
    """What the compiler made: the statement, what turns a column's value into its field's, and a row into an instance."""

    sql: str
    parameters: Sequence[Any]
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]]
    instance: Callable[[Sequence[Any]], Any]


def _rows_of(queryset: QuerySet[Any, Any], compiler: Any) -> Callable[[Sequence[Any]], Any]:
    """What makes of one row what the queryset gives: an instance with all that is joined and annotated, or its one value.

    As `ModelIterable` does, which finds all of this out again for each query.
    """
    if queryset._iterable_class is FlatValuesListIterable:
        return itemgetter(0)
    if queryset._iterable_class is not ModelIterable:
        raise TypeError("instances or flat values, nothing else")
    info = compiler.klass_info
    model, begin, end = info["model"], info["select_fields"][0], info["select_fields"][-1] + 1
    names = [column.target.attname for column, _, _ in compiler.select[begin:end]]
    joined = get_related_populators(info, compiler.select, DEFAULT_DB_ALIAS)  # type: ignore[call-arg]  # stubs of Django 6
    annotated = list((compiler.annotation_col_map or {}).items())

    def instance(row: Sequence[Any]) -> Any:
        made = model.from_db(DEFAULT_DB_ALIAS, names, row[begin:end])
        for each in joined:
            each.populate(row, made)
        for name, position in annotated:
            setattr(made, name, row[position])
        return made

    return instance
