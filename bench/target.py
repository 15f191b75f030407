"""A server under measurement: where it listens, which processes are its own, and what its database was asked."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg

from bench import meter
from bench.meter import Statements
from tests.harness import postgres, processes

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
PRODUCTION = (
    "shared_preload_libraries=pg_stat_statements",
    "shared_buffers=1GB",
    "max_wal_size=4GB",
)
"""What an operator sets, and the means to count; fsync, synchronous_commit and the rest are PostgreSQL's own defaults."""


@dataclass(frozen=True)
class Database:
    """A PostgreSQL of this run's own; `pid` is its postmaster."""

    url: str
    pid: int

    @classmethod
    def start(cls) -> Database:
        url = postgres.start(settings=PRODUCTION)
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT current_setting('data_directory')").fetchone()
        assert row is not None  # noqa: S101  # narrows the type
        pid = int((Path(row[0]) / "postmaster.pid").read_text().split()[0])
        return cls(url, pid)


@dataclass(frozen=True)
class Target:
    """A running server. `start_seconds`: from its command to its first answer."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    database: Database
    database_url: str
    statements: Statements
    start_seconds: float

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def cpu_milliseconds(self) -> tuple[float, float]:
        """Used so far by the server, and by the database."""
        return meter.cpu_milliseconds([self.process.pid]), meter.cpu_milliseconds([self.database.pid])

    def memory_mib(self) -> float:
        """Of the server, without the database."""
        return meter.memory_mib(self.process.pid)

    def stop(self) -> None:
        self.statements.close()
        processes.stop(self.process)


def launch(
    name: str,
    command: Sequence[str | Path],
    *,
    port: int,
    ready_path: str,
    environment: Mapping[str, str],
    database: Database,
    database_url: str,
    directory: Path,
) -> Target:
    """Start a server and wait for its first answer. Raises `RuntimeError` with its log where none comes."""
    log = directory / f"{name}.log"
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command], cwd=ROOT, env={**os.environ, **environment}, stdout=output, stderr=output,
            preexec_fn=processes.die_with_parent,
        )  # fmt: skip
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{port}{ready_path}", timeout=5).status_code == 200:
                break
        except httpx.TransportError:
            pass
        if process.poll() is not None or time.monotonic() - began > START_SECONDS:
            processes.stop(process)
            raise RuntimeError(f"{name} did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.01)
    seconds = time.monotonic() - began
    statements = Statements(database.url, urlsplit(database_url).path.lstrip("/"))
    return Target(name, port, process, database, database_url, statements, seconds)
