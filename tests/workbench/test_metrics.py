"""The numbers of several workers are one set of numbers, and their files end with them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx

from tests.conftest import StartServer
from tests.harness import server

REFRESH = {"grant_type": "refresh_token", "client_id": "nobody", "refresh_token": "asr_none"}
COUNTED = re.compile(
    r'^authserver_token_requests_total\{grant="refresh_token",outcome="invalid_client"\} ([0-9.]+)$', re.MULTILINE
)
DIRECTORY = (
    "import pathlib, sys; from authserver.metrics import directory; print(directory.prepare(pathlib.Path(sys.argv[1])))"
)


def test_whichever_worker_answers_it_answers_for_all(start_server: StartServer) -> None:
    ours = start_server(AUTHSERVER_WORKERS="3")
    refused = 8
    for _ in range(refused):  # a new connection each: whichever worker is free takes it
        httpx.post(f"{ours.url}/oauth/token", data=REFRESH, timeout=60)
    answers = {httpx.get(f"{ours.url}/metrics", timeout=60).text for _ in range(4)}
    assert {float(count) for answer in answers for count in COUNTED.findall(answer)} == {refused}
    assert 'authserver_ready{seam="database"} 1.0' in answers.pop()


def test_its_directory_is_private_and_ends_with_the_server(start_server: StartServer) -> None:
    ours = start_server()
    [here] = [
        path
        for path in directories()
        if str(ours.process.pid) in {file.stem.rpartition("_")[2] for file in path.iterdir()}
    ]
    assert here.stat().st_mode & 0o077 == 0
    ours.stop()
    assert not here.exists()


def test_what_a_killed_server_left_is_removed_by_the_next_and_what_another_uses_is_not(tmp_path: Path) -> None:
    def prepare(then: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", f"{DIRECTORY}; sys.stdout.flush(); {then}", str(tmp_path)],
            cwd=server.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    alive = prepare("input()")
    assert alive.stdout
    used = Path(alive.stdout.readline().strip())
    left = Path(prepare("import os; os._exit(9)").communicate()[0].strip())
    assert left.is_dir()
    next_one = Path(prepare("directory.remove()").communicate()[0].strip())
    assert not left.exists()
    assert not next_one.exists()
    assert used.is_dir()
    alive.communicate("\n")
    prepare("directory.remove()").communicate()
    assert not used.exists()


def directories() -> list[Path]:
    return list(Path("/dev/shm").glob("authserver-metrics-*"))  # noqa: S108  # where it makes them
