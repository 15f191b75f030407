"""An initial access token over two processes: of many at once, exactly as many get in as it allows."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.races.conftest import Racers

WAYS, USES, ROUNDS = 24, 5, 3
PATIENCE_SECONDS = 20
POLICY = "registration: {{mode: {mode}}}\n"


def apply(racers: Racers, directory: Path, mode: str) -> None:
    """Put it in force, and wait until each process has heard of it."""
    file = directory / "policy.yaml"
    file.write_text(POLICY.format(mode=mode))
    applied = racers.servers[0].manage("apply_config", str(file))
    assert applied.returncode == 0, applied.stdout + applied.stderr
    refusal = {"token": 401, "open": 400}[mode]  # of a request that registers nothing
    deadline = time.monotonic() + PATIENCE_SECONDS
    for server in racers.servers:
        while httpx.post(f"{server.url}/oauth/register", json={}).status_code != refusal:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_no_more_register_than_an_initial_access_token_allows(racers: Racers, tmp_path: Path) -> None:
    metadata = {"redirect_uris": ["http://127.0.0.1/callback"], "client_name": "Racer"}
    apply(racers, tmp_path, "token")
    try:
        for _ in range(ROUNDS):
            made = racers.servers[0].manage("create_initial_access_token", "race", "--uses", str(USES))
            assert made.returncode == 0, made.stderr
            headers = {"Authorization": f"Bearer {made.stdout.strip()}"}

            def register(index: int, headers: dict[str, str] = headers) -> int:
                server = racers.servers[index % 2]
                return httpx.post(
                    f"{server.url}/oauth/register", json=metadata, headers=headers, timeout=30
                ).status_code

            with ThreadPoolExecutor(WAYS) as threads:
                statuses = sorted(threads.map(register, range(WAYS)))
            assert statuses == [201] * USES + [401] * (WAYS - USES)
    finally:
        apply(racers, tmp_path, "open")
