"""The database: it answers, is one that we know, isolates as we expect, and has every table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

from authserver.doctor.findings import Finding, failed, ok, warning

OLDEST_POSTGRESQL = 140000
RESERVED_CONNECTIONS = 10
"""What PostgreSQL keeps back for superusers, and what maintenance and a person at a prompt take."""


def look() -> list[Finding]:
    """A single failed one where it does not answer: nothing that needs it is worth asking then."""
    title = _("Database")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        found = list(_postgresql(title) if connection.vendor == "postgresql" else _sqlite(title))
        return [*found, *_migrations()]
    except (DatabaseError, InterfaceError) as error:
        return [
            failed(
                "database",
                title,
                _("The database does not answer (%(error)s): nothing can be issued.") % {"error": type(error).__name__},
                _("Start it, and check AUTHSERVER_DATABASE_URL and the network between."),
            )
        ]


def _postgresql(title: str) -> Iterator[Finding]:
    version = connection.pg_version  # type: ignore[attr-defined]  # PostgreSQL's wrapper has it
    recovering, isolation = _value("SELECT pg_is_in_recovery()"), str(_value("SHOW transaction_isolation"))
    names = {"version": version // 10000, "isolation": isolation}
    if recovering:
        yield failed(
            "database",
            title,
            _("This is a replica that only reads: nothing can be issued."),
            _("Point AUTHSERVER_DATABASE_URL at the primary."),
        )
    elif isolation != "read committed":
        yield failed(
            "database",
            title,
            _("Transactions run as “%(isolation)s”; what decides races here is written for “read committed”.") % names,
            _("Set default_transaction_isolation back to its default for this role."),
        )
    elif version < OLDEST_POSTGRESQL:
        yield warning(
            "database",
            title,
            _("PostgreSQL %(version)s is out of maintenance.") % names,
            _("Move to a release that still gets fixes."),
        )
    else:
        yield ok("database", title, _("PostgreSQL %(version)s answers; transactions are “%(isolation)s”.") % names)
    yield _pool()


def _pool() -> Finding:
    """All workers of this host at their most, against what the server takes."""
    title = _("Connection pool")
    pool: Any = settings.DATABASES["default"].get("OPTIONS", {}).get("pool")
    if not isinstance(pool, dict):
        return warning(
            "database.pool",
            title,
            _("There is no pool: every request connects anew."),
            _("Leave DATABASES as settings.py makes it."),
        )
    most = int(pool.get("max_size", 4)) * settings.WORKERS
    names = {"most": most, "limit": int(_value("SHOW max_connections"))}
    if most + RESERVED_CONNECTIONS > names["limit"]:
        return warning(
            "database.pool",
            title,
            _("This host alone may open %(most)s connections, and the server takes %(limit)s.") % names,
            _("Lower AUTHSERVER_WORKERS or AUTHSERVER_THREADS, or raise max_connections."),
        )
    return ok(
        "database.pool", title, _("This host opens up to %(most)s connections of the server's %(limit)s.") % names
    )


def _sqlite(title: str) -> Iterator[Finding]:
    mode = str(_value("PRAGMA journal_mode"))
    if mode not in {"wal", "memory"}:
        yield warning(
            "database",
            title,
            _(
                "SQLite cannot use its write-ahead log here (journal mode %(mode)s): readers and writers wait for each other."
            )
            % {"mode": mode},
            _("Put the data directory on a local disk, not on a network share."),
        )
    else:
        yield ok("database", title, _("SQLite answers: good for one host. Several need PostgreSQL."))


def _migrations() -> Iterator[Finding]:
    title = _("Tables")
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _back in waiting[:5])
        yield failed(
            "database.migrations",
            title,
            _("Migrations have not been applied: %(names)s.") % {"names": names},
            _("Run manage.py bootstrap."),
        )
    else:
        yield ok("database.migrations", title, _("Every migration has been applied."))


def _value(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
    return row[0] if row else None
