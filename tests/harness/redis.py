"""A real Redis (or Valkey) for a test: the machine's, on a free port, with nothing on disk."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.harness import processes

START_SECONDS = 10


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """Yields its URL. Without a redis-server on the machine the test is skipped (`.ci/run` installs it)."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        pytest.skip("needs redis-server: apt-get install redis-server")
    port = processes.free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with (directory / "redis.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log, preexec_fn=processes.die_with_parent)
    try:
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis(port=port) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)
                else:
                    break
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        processes.stop(process)


def content(url: str) -> bytes:
    """Every key and value, as the server itself would write them to disk."""
    with redis.Redis.from_url(url) as client:
        return b"\n".join(key + b" " + (client.dump(key) or b"") for key in client.scan_iter())
