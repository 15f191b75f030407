"""A vault key is turned over under two processes at work, step by step as docs/vault-keys.md has it: nobody notices."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest

from tests.harness import migrated
from tests.harness.demo import exchange_form, knobs
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person
from tests.harness.server import Server, dev, environment, launch

STORED = 1600  # rows beside those at work: some batches
STOCK = f"""
from django.utils import timezone
from accounts.models import User
from accounts.vault import vault
from accounts.vault.base import TokenSet
user = User.objects.create(username="stock")
for number in range({STORED}):
    vault().credentials.keep(user.pk, "demo", str(number), TokenSet("access", "refresh"), now=timezone.now())
"""
SEALED = "SELECT count(*) FROM accounts_credential WHERE sealed_tokens LIKE %s"
PATIENCE_SECONDS = 60


class Deployment:
    """Two processes over one database, whose operator edits the file with the vault keys and restarts them."""

    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers
        self.old = servers[0].secret("vault_keys")
        self.new = f"k2:{base64.b64encode(b'2' * 32).decode()}"

    def restart(self, *keys: str) -> None:
        """One after the other, as a rolling update does."""
        (self.servers[0].data_dir / "vault_keys").write_text(",".join(keys) + "\n")
        for number, server in enumerate(self.servers):
            server.stop()
            self.servers[number] = self.launched(server).wait()

    def launched(self, server: Server) -> Server:
        issuer = None if server.issuer == server.url else server.issuer
        return launch(server.data_dir, issuer=issuer, port=server.port, AUTHSERVER_DATABASE_URL=server.database_url)

    def sealed_with(self, key: str) -> int:
        with psycopg.connect(self.servers[0].database_url, autocommit=True) as database:
            row = database.execute(SEALED, (f"v1.{key}.%",)).fetchone()
            assert row
            return int(row[0])

    def rotate(self) -> subprocess.CompletedProcess[str]:
        return self.servers[0].manage("rotate_vault_key")

    def rotate_and_be_killed(self) -> None:
        """As soon as some rows have the new key; whoever is at work does that too, hence `some`."""
        some = self.sealed_with("k2") + 200
        command = subprocess.Popen(
            dev("manage", "--data-dir", self.servers[0].data_dir, "rotate_vault_key"), env=environment({}),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        until(lambda: self.sealed_with("k2") >= some)
        os.killpg(command.pid, signal.SIGKILL)
        assert command.wait() == -signal.SIGKILL, "it had ended before"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def deployment(postgres_url: str, start_server: Any) -> Iterator[Deployment]:
    with migrated.database(postgres_url) as url:
        first = start_server(AUTHSERVER_DATABASE_URL=url)
        second = start_server(data_dir=first.data_dir, issuer=first.issuer, AUTHSERVER_DATABASE_URL=url)
        deployment = Deployment([first, second])
        yield deployment
        for server in deployment.servers:
            server.stop()


def signed_in(server: Server, name: str) -> dict[str, str]:
    client = OAuthClient.registered(server.issuer)
    flow = client.begin(resource=f"{server.issuer}/demo/mcp")
    return exchange_form(server, client.finish(flow, Person(name).authorize(flow.url))["access_token"])


@contextmanager
def at_work(deployment: Deployment, forms: list[dict[str, str]]) -> Iterator[Counter[int]]:
    """Each person's token is exchanged at both processes over and over; the answers by status."""
    statuses: Counter[int] = Counter()
    enough = threading.Event()

    def work(server: Server, form: dict[str, str]) -> None:
        with httpx.Client(base_url=server.url, timeout=30) as http:
            while not enough.is_set():
                statuses[http.post("/oauth/token", data=form).status_code] += 1

    with ThreadPoolExecutor(4) as threads:
        workers = [threads.submit(work, server, form) for server in deployment.servers for form in forms]
        yield statuses
        enough.set()
    for worker in workers:
        worker.result()


def test_a_key_is_turned_over_while_everybody_works(deployment: Deployment) -> None:
    first = deployment.servers[0]
    over_at_once = {"answer": {"expires_in": 0}}  # so that each exchange is a refresh
    knobs(first, "POST", token=over_at_once, refresh=over_at_once)
    forms = [signed_in(first, name) for name in ("Ada", "Grace")]
    assert first.manage("shell", "-c", STOCK).returncode == 0
    deployment.restart(deployment.old, deployment.new)
    deployment.restart(deployment.new, deployment.old)

    with at_work(deployment, forms) as statuses:
        deployment.rotate_and_be_killed()
        assert deployment.sealed_with("k1") > 0
        done = deployment.rotate()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "k1 is retired" in done.stdout
    assert set(statuses) == {200}
    assert statuses[200] > 20
    counted = knobs(deployment.servers[0], "GET")
    assert counted["refresh_requests"] == counted["refresh_successes"] > 20
    assert counted["reuse_detected"] == 0
    assert deployment.sealed_with("k1") == 0
    assert deployment.sealed_with("k2") == STORED + 2

    deployment.restart(deployment.new)
    for server in deployment.servers:
        for form in forms:
            assert httpx.post(f"{server.url}/oauth/token", data=form).status_code == 200
    (first.data_dir / "vault_keys").write_text(deployment.old + "\n")
    deployment.servers[0].stop()
    with pytest.raises(RuntimeError, match="k2: is not there"):
        deployment.launched(deployment.servers[0]).wait()
