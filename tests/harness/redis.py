"""A real Redis (or Valkey): the machine's, on a free port, with nothing on disk unless it is told to."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.harness import processes

START_SECONDS = 10


class Redis:
    """Its process, killed and started again on one port; it comes back empty. `persistence` are arguments of its own."""

    def __init__(self, directory: Path, persistence: Sequence[str] = ("--appendonly", "no")) -> None:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            pytest.skip("needs redis-server: apt-get install redis-server")
        self._directory, self._port = directory, processes.free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._command = [program, "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", *persistence]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run, and wait until it answers."""
        with (self._directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._directory, stdout=log, stderr=log, preexec_fn=processes.die_with_parent
            )
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis(port=self._port) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)
                else:
                    break

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            processes.stop(self._process, with_signal)


@contextmanager
def running(directory: Path) -> Iterator[Redis]:
    """Yields it, running. Without a redis-server on the machine the test is skipped (`.ci/run` installs it)."""
    server = Redis(directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """The same, where its URL is enough."""
    with running(directory) as started:
        yield started.url


def content(url: str) -> bytes:
    """Every key and value, as the server itself would write them to disk."""
    with redis.Redis.from_url(url) as client:
        return b"\n".join(key + b" " + (client.dump(key) or b"") for key in client.scan_iter())
