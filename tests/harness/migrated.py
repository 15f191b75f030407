"""Databases that have been migrated already, as copies of one: a server over one of these starts in a third of the time."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from tests.harness import postgres

ROOT = Path(__file__).resolve().parent.parent.parent


def copy_sqlite(to: Path) -> None:
    """The file of a database with every table and no row of anybody's. Nobody else's is written over."""
    to.touch(mode=0o600, exist_ok=False)
    shutil.copyfile(_sqlite(), to)


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """As `postgres.database`, with every table."""
    with postgres.database(server_url, template=_template(server_url)) as url:
        yield url


@cache
def _sqlite() -> Path:
    directory = tempfile.TemporaryDirectory(prefix="authserver-migrated-")
    atexit.register(directory.cleanup)
    file = Path(directory.name) / "authserver.sqlite3"
    _migrate(f"sqlite:///{file}")
    return file


@cache
def _template(server_url: str) -> str:
    kept = ExitStack()
    atexit.register(kept.close)
    url = kept.enter_context(postgres.database(server_url))
    _migrate(url)
    return url


def _migrate(url: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=ROOT, env={**os.environ, "AUTHSERVER_DATABASE_URL": url}, check=True,
    )  # fmt: skip
