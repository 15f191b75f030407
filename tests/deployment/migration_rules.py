"""Which steps of a migration leave the release before it running. `docs/upgrading.md` says why, in words.

It was written before these tables and goes on for minutes: it names the columns it knows in every INSERT, reads those it
knows in every SELECT, and its writes must not wait behind a lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED

HARMLESS = (
    migrations.CreateModel,
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
    migrations.AlterModelTableComment,
    migrations.RemoveConstraint,  # what was forbidden is allowed
)
WIDER = {"null": (False, True)}
"""What a column may become: from this to that."""


@dataclass(frozen=True)
class Objection:
    """A step that the release before does not survive, and why. `step` is how `describe` tells it."""

    step: str
    why: str


def objections(steps: Sequence[Operation], app: str, before: ProjectState) -> Iterator[Objection]:
    """What is wrong with these steps of an application's migration, from the state before it."""
    state, made = before.clone(), set[str]()
    for step in steps:
        if isinstance(step, migrations.SeparateDatabaseAndState):
            yield from objections(step.database_operations, app, state)
        elif (why := _why_not(step, app, state, made)) is not None:
            yield Objection(step.describe(), why)
        if isinstance(step, migrations.CreateModel):
            made.add(step.name_lower)
        step.state_forwards(app, state)


def _why_not(step: Operation, app: str, state: ProjectState, made: set[str]) -> str | None:
    model = getattr(step, "model_name", "").lower()
    if isinstance(step, HARMLESS) or model in made:  # nobody writes to a table that is not there yet
        return None
    if isinstance(step, migrations.AddField):
        return _of_new_column(step.field)
    if isinstance(step, migrations.AlterField):
        return _of_changed_column(state.models[app, model].fields[step.name], step.field)
    if isinstance(step, migrations.AddIndex):
        return "writes wait while an index is made: a large table needs CREATE INDEX CONCURRENTLY"
    if isinstance(step, migrations.AddConstraint):
        return "the release before may write what it forbids, and the table is locked while it is checked"
    if isinstance(step, migrations.RunPython | migrations.RunSQL):
        return "nobody can tell what it does: say how long it takes on a large table, and what it locks"
    return "the release before still uses what it takes away"


def _of_new_column(field: models.Field) -> str | None:  # type: ignore[type-arg]
    if isinstance(field, models.ManyToManyField):
        return None  # a table of its own
    if field.null or field.db_default is not NOT_PROVIDED:
        return None
    return "INSERTs of the release before do not name it: it needs null=True or a db_default"


def _of_changed_column(old: models.Field, new: models.Field) -> str | None:  # type: ignore[type-arg]
    """The parts that only Python sees may change, a text may become longer, and a value optional."""
    changed = {
        name: (was, now)
        for name, was, now in _differences(old, new)
        if name not in old.non_db_attrs and (was, now) != WIDER.get(name)
    }
    changed.pop("max_length", None)
    was, now = old.max_length, new.max_length
    if now is not None and (was is None or was > now):
        return "what the release before writes may be too long"
    return "the column changes under the release before" if changed else None


def _differences(old: models.Field, new: models.Field) -> Iterator[tuple[str, object, object]]:  # type: ignore[type-arg]
    (_, old_kind, _, was), (_, new_kind, _, now) = old.deconstruct(), new.deconstruct()
    if old_kind != new_kind:
        yield "type", old_kind, new_kind
    for name in was.keys() | now.keys():
        if name != "default" and was.get(name) != now.get(name):  # a default of Python's is no column's
            missing = {"null": False}.get(name)
            yield name, was.get(name, missing), now.get(name, missing)
