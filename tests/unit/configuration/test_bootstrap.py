"""A start, prepared: in real processes, on a database that did not exist a moment ago."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from tests.harness import environment, postgres
from tests.unit.configuration.conftest import WHOLE, Write

ARGUMENTS = [sys.executable, "manage.py", "bootstrap", "--print-admin"]


def bootstrap(url: str, data_dir: Path, config: Path | None = None) -> subprocess.CompletedProcess[str]:
    own = {"AUTHSERVER_DATABASE_URL": url, "AUTHSERVER_DATA_DIR": str(data_dir)}
    if config:
        own["AUTHSERVER_CONFIG"] = str(config)
    return subprocess.run(
        ARGUMENTS,
        cwd=settings.BASE_DIR,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def together(url: str, data_dir: Path, config: Path) -> list[str]:
    """The answers of two processes that start at the same time."""
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: bootstrap(url, data_dir, config), range(2)))
    assert [answer.returncode for answer in answers] == [0, 0], [answer.stderr for answer in answers]
    return [answer.stdout for answer in answers]


def check(outputs: list[str]) -> None:
    passwords = [re.findall(r"password  (\S{20,})", output) for output in outputs]
    assert sorted(map(len, passwords)) == [0, 1]  # one of them made the administrator, and told
    assert sorted(output.count("+ upstream github") for output in outputs) == [0, 1]


COUNTS = """
    SELECT (SELECT count(*) FROM accounts_user),
           (SELECT count(*) FROM upstream_provider),
           (SELECT count(*) FROM authserver_signingkey)
"""


def test_two_processes_prepare_one_fresh_sqlite_file(write: Write, tmp_path: Path) -> None:
    file = tmp_path / "data" / "fresh.sqlite3"
    check(together(f"sqlite:///{file}", file.parent, write(WHOLE)))
    with sqlite3.connect(file) as database:
        assert database.execute(COUNTS).fetchone() == (1, 1, 1)
    again = bootstrap(f"sqlite:///{file}", file.parent, write(WHOLE))
    assert (again.returncode, again.stdout) == (0, "")


@pytest.mark.postgres
def test_two_processes_prepare_one_fresh_postgresql_database(postgres_url: str, write: Write, tmp_path: Path) -> None:
    with postgres.database(os.environ[environment.DATABASE_URL]) as url:
        check(together(url, tmp_path, write(WHOLE)))
        with psycopg.connect(url) as database:
            assert database.execute(COUNTS).fetchone() == (1, 1, 1)


def test_a_wrong_configuration_stops_the_start_with_its_line(write: Write, tmp_path: Path) -> None:
    answer = bootstrap(f"sqlite:///{tmp_path / 'fresh.sqlite3'}", tmp_path, write("upstream: []"))
    assert answer.returncode == 1
    assert "config.yaml:1: upstream: is not a key here; did you mean 'upstreams'?" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_database_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    answer = bootstrap("postgres://nobody:hunter2@127.0.0.1:1/none", tmp_path)
    assert answer.returncode == 1
    assert "the database does not answer" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "hunter2" not in answer.stderr
