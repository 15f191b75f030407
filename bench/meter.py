"""What running costs: CPU time and memory of a process and all below it, and the statements that a database was sent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg

PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_GONE = (FileNotFoundError, ProcessLookupError)


def tree(root: int) -> list[int]:
    """The process and its descendants, as they are now."""
    children: dict[int, list[int]] = {}
    for directory in PROC.iterdir():
        if directory.name.isdigit():
            with suppress(*_GONE):
                children.setdefault(int(_stat(int(directory.name))[1]), []).append(int(directory.name))
    found = [root]
    for pid in found:  # grows while we walk it
        found += children.get(pid, [])
    return found


def cpu_milliseconds(roots: list[int]) -> float:
    """What these trees have used since they began, in all their threads, those that have ended included.

    From the scheduler's own account, in nanoseconds: `utime` and `stime` have ticks of ten milliseconds. Of children that
    were waited for, only the ticks are left.
    """
    total = 0.0
    for root in roots:
        for pid in tree(root):
            total += sum(_thread_nanoseconds(pid)) / 1e6
        with suppress(*_GONE):
            total += sum(map(int, _stat(root)[13:15])) * 1000 / _TICKS_PER_SECOND
    return total


def children_milliseconds() -> float:
    """CPU time of our own children that have ended and were waited for."""
    spent = os.times()
    return (spent.children_user + spent.children_system) * 1000


def memory_mib(root: int) -> float:
    """The tree's proportional share of the memory (PSS): what it would give back."""
    kilobytes = 0
    for pid in tree(root):
        with suppress(*_GONE):
            lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
            kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


class Statements:
    """Counts what the clients of one database send, by `pg_stat_statements`, read from another database of that server.

    BEGIN and COMMIT are left out, and so are the looks at foreign keys that PostgreSQL takes by itself.
    """

    _QUERY = r"""
        SELECT query, calls FROM pg_stat_statements
        WHERE toplevel AND dbid = (SELECT oid FROM pg_database WHERE datname = %s)
          AND query !~* '^(begin|commit|rollback|savepoint|release|set |show )' AND query !~ '^SELECT \$2 FROM ONLY '
        ORDER BY calls DESC
    """

    def __init__(self, server_url: str, database: str) -> None:
        self._database = database
        self._connection = psycopg.connect(server_url, autocommit=True)
        self._connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

    def close(self) -> None:
        self._connection.close()

    def count(self) -> int:
        """Since the database began."""
        return sum(calls for _, calls in self.by_text())

    def by_text(self) -> list[tuple[str, int]]:
        """Each statement and how often it was sent, the commonest first."""
        return self._connection.execute(self._QUERY, [self._database]).fetchall()


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on: the second, the name, may hold blanks."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _thread_nanoseconds(pid: int) -> Iterator[int]:
    with suppress(*_GONE):
        for thread in (PROC / str(pid) / "task").iterdir():
            with suppress(*_GONE):
                yield int((thread / "schedstat").read_text().split()[0])
