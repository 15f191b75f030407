"""`manage.py maintenance` as a process of its own, over the database of the test (which must be a transactional one)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from tests.fakes.oauth2 import FakeOAuth2
from tests.harness import processes
from tests.harness.server import ROOT
from upstream import discovery

PATIENCE_SECONDS = 30


def until(condition: Callable[[], object], what: str = "it") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


class Maintenance:
    """One process; `said` is what it has printed and logged so far."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self.log = log
        name = str(connection.settings_dict["NAME"])
        url = f"sqlite:///{name}"
        if connection.vendor == "postgresql":
            url = urlsplit(os.environ["AUTHSERVER_DATABASE_URL"])._replace(path=f"/{name}").geturl()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, ROOT / "manage.py", "maintenance", *arguments],
                env={**os.environ, "AUTHSERVER_DATABASE_URL": url}, stdout=output, stderr=output,
                preexec_fn=processes.die_with_parent,
            )  # fmt: skip

    @property
    def said(self) -> str:
        return self.log.read_text()

    def says(self, text: str) -> None:
        until(lambda: text in self.said, f"{text!r}, but {self.said!r},")


StartMaintenance = Callable[..., Maintenance]


@pytest.fixture
def maintenance(tmp_path: Path) -> Iterator[StartMaintenance]:
    """Starts one; whatever still runs at the end is stopped."""
    started: list[Maintenance] = []

    def start(*arguments: str) -> Maintenance:
        started.append(Maintenance(tmp_path / f"maintenance-{len(started)}.log", *arguments))
        return started[-1]

    yield start
    for one in started:
        processes.stop(one.process)


@pytest.fixture
def fake() -> Iterator[FakeOAuth2]:
    discovery.forget()
    with FakeOAuth2() as fake:
        yield fake
