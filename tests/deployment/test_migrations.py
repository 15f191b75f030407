"""Migrations are safe with the version before them still running: docs/upgrading.md, as rules and as a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from tests.deployment.migration_rules import objections
from tests.harness import postgres
from tests.harness.server import ROOT

OURS = ("accounts", "upstream", "authserver")
REASONS: dict[tuple[str, str, str], str] = {}
"""Steps that are right all the same: application, migration, what it does in Django's words; and why it is safe."""


def test_no_migration_breaks_the_release_before() -> None:
    """The first of each application makes its tables: nothing came before it."""
    loader = MigrationLoader(None)
    wrong, known = [], set()
    for (app, name), migration in sorted(loader.disk_migrations.items()):
        if app not in OURS or migration.initial:
            continue
        before = loader.project_state((app, name), at_end=False)
        for objection in objections(migration.operations, app, before):
            key = (app, name, objection.step)
            known.add(key)
            if key not in REASONS:
                wrong.append(f"{app} {name}: {objection.step}: {objection.why}")
    assert wrong == []
    assert set(REASONS) - known == set(), "a reason for nothing"


TABLE = migrations.CreateModel("Table", [
    ("id", models.BigAutoField(primary_key=True)),
    ("name", models.CharField(max_length=20)),
    ("count", models.IntegerField(null=True)),
])  # fmt: skip


@pytest.fixture
def state() -> ProjectState:
    state = ProjectState()
    TABLE.state_forwards("app", state)
    return state


def column(name: str, field: models.Field) -> Operation:  # type: ignore[type-arg]
    return migrations.AlterField("table", name, field)


@pytest.mark.parametrize(
    "steps",
    [
        [migrations.AddField("table", "added", models.TextField(null=True))],
        [migrations.AddField("table", "added", models.TextField(db_default=""))],
        [migrations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))])],
        [
            migrations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))]),
            migrations.AddField("other", "added", models.TextField()),
            migrations.AddIndex("other", models.Index(fields=["added"], name="added")),
        ],
        [column("name", models.CharField(max_length=40, help_text="words", choices=[("a", "b")], default="a"))],
        [column("name", models.CharField(max_length=20, null=True))],
        [migrations.AlterModelOptions("table", {"verbose_name": "a table"})],
    ],
    ids=["optional", "with the database's default", "a table", "inside of a new table", "longer, and words", "optional now",
         "options"],
)  # fmt: skip
def test_what_the_release_before_does_not_notice(state: ProjectState, steps: list[Operation]) -> None:
    assert list(objections(steps, "app", state)) == []


@pytest.mark.parametrize(
    "step",
    [
        migrations.AddField("table", "added", models.TextField()),
        migrations.AddField("table", "added", models.TextField(default="")),
        migrations.RemoveField("table", "name"),
        migrations.RenameField("table", "name", "title"),
        migrations.RenameModel("Table", "Other"),
        migrations.DeleteModel("Table"),
        migrations.AlterModelTable("table", "other"),
        migrations.AlterUniqueTogether("table", {("name", "count")}),
        column("name", models.CharField(max_length=10)),
        column("name", models.IntegerField()),
        column("name", models.CharField(max_length=20, unique=True)),
        column("count", models.IntegerField()),
        migrations.AddIndex("table", models.Index(fields=["name"], name="name")),
        migrations.AddConstraint("table", models.UniqueConstraint(fields=["name"], name="name")),
        migrations.RunSQL("DROP TABLE app_table"),
        migrations.RunPython(migrations.RunPython.noop),
        migrations.SeparateDatabaseAndState(database_operations=[migrations.RemoveField("table", "name")]),
    ],
    ids=lambda step: type(step).__name__,
)
def test_what_would_break_it_is_refused(state: ProjectState, step: Operation) -> None:
    """A default of Python's too: Django takes it out of the database as soon as the column is there."""
    [objection] = objections([step], "app", state)
    assert objection.why


def test_a_migration_waits_for_a_table_for_some_seconds_only(postgres_url: str, tmp_path: Path) -> None:
    """Behind it everybody would wait who writes to that table. Here somebody else is making it, and does not go on."""
    with postgres.database(postgres_url) as url, psycopg.connect(url) as elsewhere:
        elsewhere.execute("CREATE TABLE accounts_user (id int)")
        variables = {"AUTHSERVER_DATABASE_URL": url, "AUTHSERVER_DATA_DIR": str(tmp_path)}
        given_up = subprocess.run(
            [sys.executable, "manage.py", "bootstrap"],
            cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert given_up.returncode == 1
    assert "a table was in use for more than 5 seconds" in given_up.stderr
