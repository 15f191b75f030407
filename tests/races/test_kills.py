"""A worker is killed at each step of a refresh; the other process goes on, and nothing is lost that the provider honours.

The demo provider rotates and detects reuse: a refresh token that is sent twice ends the whole grant.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import psycopg
import pytest

from tests.harness import migrated
from tests.harness.demo import exchange_form, knobs
from tests.harness.gate import Gate
from tests.harness.oauth import OAuthClient, claims
from tests.harness.person import Person
from tests.harness.server import Server

PATIENCE_SECONDS = 20
OF_SESSION = "FROM accounts_credential c JOIN accounts_link l ON l.credential_id = c.id WHERE l.session_id = %s"
LEASE_TAKEN, STORED = b'SET "lease_holder" = ', b'"sealed_tokens" = '


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


class Pair:
    """Two processes of one server: `other` is the provider too, `victim` reaches the database through the gate."""

    def __init__(self, other: Server, victim: Server, gate: Gate) -> None:
        self.other, self.victim, self.gate = other, victim, gate
        self.form: dict[str, str] = {}
        self.tsid, self.version = "", 0
        self.pool = ThreadPoolExecutor(4)

    def knobs(self, method: str, **settings: Any) -> dict[str, int]:
        counters = knobs(self.other, method, **settings)
        return {name: counters[name] for name in ("refresh_requests", "refresh_successes", "reuse_detected")}

    def sign_in(self) -> None:
        """A new session, whose upstream token is over at once."""
        self.knobs("POST", token={"answer": {"expires_in": 0}})
        client = OAuthClient.registered(self.other.issuer, redirect_uri="http://127.0.0.1:7777/callback")
        flow = client.begin(resource=f"{self.other.issuer}/demo/mcp")
        token = client.finish(flow, Person("Grace").authorize(flow.url))["access_token"]
        self.knobs("DELETE")
        self.tsid = claims(token)["tsid"]
        self.version = self.sql(f"SELECT version {OF_SESSION}")[0]
        self.form = exchange_form(self.other, token)

    def exchange(self, at: Server) -> httpx.Response:
        return httpx.post(f"{at.url}/oauth/token", data=self.form, timeout=PATIENCE_SECONDS)

    def row(self) -> tuple[int, str, bool]:
        """How often it was stored since the sign-in, its state, and whether there is a lease."""
        version, state, leased = self.sql(f"SELECT version, state, lease_until IS NOT NULL {OF_SESSION}")
        return version - self.version, state, leased

    def deaths(self) -> int:
        sql = "SELECT count(*) FROM accounts_auditevent WHERE event = 'upstream.credential_died' AND tsid = %s"
        count: int = self.sql(sql)[0]
        return count

    def sql(self, statement: str) -> Any:
        """With this session's tsid as its one parameter; the first row."""
        with psycopg.connect(self.other.database_url, autocommit=True) as connection:
            return connection.execute(statement, (self.tsid,)).fetchone()

    def lease_runs_out(self) -> None:
        self.sql("UPDATE accounts_credential SET lease_until = now() - interval '1 second' WHERE id = "
                 "(SELECT credential_id FROM accounts_link WHERE session_id = %s) RETURNING id")  # fmt: skip

    def begin(self) -> Future[httpx.Response]:
        """An exchange at the victim."""
        return self.pool.submit(self.exchange, self.victim)

    def kill(self, asked: Future[httpx.Response]) -> None:
        """SIGKILL to the worker that was asked, which is all the answer there is; gunicorn starts another one."""
        master = self.victim.process.pid
        (worker,) = workers_of(master)
        assert not asked.done()
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            asked.result(PATIENCE_SECONDS)
        self.gate.open()
        until(lambda: set(workers_of(master)) - {worker}, "a new worker")

    def is_over_once(self) -> None:
        """Dead, said so by both processes, and nobody asks the provider again."""
        counted = self.knobs("GET")
        for server in (self.other, self.victim, self.other):
            refused = self.exchange(server)
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant"), refused.text
            assert refused.json()["state"] == "needs_reauthorization"
        assert self.row()[1:] == ("dead", False)
        assert self.deaths() == 1
        assert self.knobs("GET") == counted

    def goes_on(self) -> None:
        """Both processes give out the one token that was stored."""
        answers = [self.exchange(server) for server in (self.other, self.victim, self.other)]
        assert [answer.status_code for answer in answers] == [200] * 3, answers[0].text
        assert len({answer.json()["access_token"] for answer in answers}) == 1
        assert self.row() == (1, "live", False)
        assert self.deaths() == 0


def workers_of(master: int) -> list[int]:
    """The gunicorn workers that this process has started and that still run."""
    found = []
    for child in Path(f"/proc/{master}/task/{master}/children").read_text().split():
        try:
            is_worker = b"gunicorn" in Path(f"/proc/{child}/cmdline").read_bytes()  # empty for one that has ended
        except OSError:
            continue
        if is_worker:
            found.append(int(child))
    return found


@pytest.fixture(scope="module")
def servers(postgres_url: str, start_server: Any) -> Iterator[Pair]:
    with migrated.database(postgres_url) as url, Gate(url) as gate:
        other = start_server(AUTHSERVER_DATABASE_URL=url)
        victim = start_server(data_dir=other.data_dir, issuer=other.issuer, AUTHSERVER_DATABASE_URL=gate.url)
        pair = Pair(other, victim, gate)
        yield pair
        pair.pool.shutdown()
        victim.stop()
        other.stop()


@pytest.fixture
def pair(servers: Pair) -> Iterator[Pair]:
    servers.sign_in()
    yield servers
    servers.gate.open()
    servers.knobs("DELETE")


def counted(requests: int, successes: int, reuse: int = 0) -> dict[str, int]:
    return {"refresh_requests": requests, "refresh_successes": successes, "reuse_detected": reuse}


def test_before_the_provider_is_asked(pair: Pair) -> None:
    """The lease is taken and left behind; the other process takes over when it has run out."""
    pair.gate.hold(LEASE_TAKEN, "answer")
    caller = pair.begin()
    assert pair.gate.answered.wait(PATIENCE_SECONDS)
    pair.kill(caller)
    assert pair.row() == (0, "live", True)
    assert pair.knobs("GET") == counted(0, 0)
    pair.lease_runs_out()
    pair.goes_on()
    assert pair.knobs("GET") == counted(1, 1)


def provider_is_at_it(pair: Pair) -> None:
    """The one fault it was told to have has begun."""
    sql = "SELECT count(*) FROM upstream_demo_knob WHERE name = 'refresh' AND remaining = 0 AND %s <> ''"
    until(lambda: pair.sql(sql) == (1,), "the call")


def test_while_a_provider_hangs_that_does_nothing(pair: Pair) -> None:
    pair.knobs("POST", refresh={"slow_seconds": 2, "status": 503, "times": 1})
    asked = pair.begin()
    provider_is_at_it(pair)
    pair.kill(asked)
    assert pair.row() == (0, "live", True)
    pair.lease_runs_out()
    pair.goes_on()
    assert pair.knobs("GET") == counted(1, 1)  # the fault came before it was counted


def test_while_a_slow_provider_does_it_all_the_same(pair: Pair) -> None:
    """It rotates and has nobody to tell: the window that is left. The next refresh says so, once."""
    pair.knobs("POST", refresh={"slow_seconds": 1, "at": "start", "times": 1})
    asked = pair.begin()
    provider_is_at_it(pair)
    pair.kill(asked)
    until(lambda: pair.knobs("GET") == counted(1, 1), "the rotation")
    pair.lease_runs_out()
    assert pair.exchange(pair.other).json()["state"] == "needs_reauthorization"
    assert pair.knobs("GET") == counted(2, 1, 1)
    pair.is_over_once()


def test_after_the_answer_and_before_the_commit(pair: Pair) -> None:
    """The window that is left, where the provider was quick."""
    pair.gate.hold(STORED, "statement")
    asked = pair.begin()
    assert pair.gate.held.wait(PATIENCE_SECONDS)
    assert pair.knobs("GET") == counted(1, 1)
    pair.kill(asked)
    assert pair.row() == (0, "live", True)
    pair.lease_runs_out()
    assert pair.exchange(pair.other).json()["state"] == "needs_reauthorization"
    assert pair.knobs("GET") == counted(2, 1, 1)
    pair.is_over_once()


def test_after_the_commit_and_before_the_callers_answer(pair: Pair) -> None:
    """Nothing is lost, and nobody has to wait: the lease ended with the commit."""
    pair.gate.hold(STORED, "answer")
    asked = pair.begin()
    assert pair.gate.answered.wait(PATIENCE_SECONDS)
    pair.kill(asked)
    assert pair.row() == (1, "live", False)
    pair.goes_on()
    assert pair.knobs("GET") == counted(1, 1)


def test_a_database_that_is_away_when_the_answer_comes_and_back_soon_after(pair: Pair) -> None:
    """Nobody is killed: the rotated token waits in the worker's hands."""
    pair.gate.hold(STORED, "statement")
    asked = pair.begin()
    assert pair.gate.held.wait(PATIENCE_SECONDS)
    pair.gate.close()
    assert pair.row() == (0, "live", True)
    pair.gate.open()
    answer = asked.result(PATIENCE_SECONDS)
    assert answer.status_code == 200, answer.text
    pair.goes_on()
    assert pair.knobs("GET") == counted(1, 1)


def test_a_commit_whose_answer_is_lost_with_the_connection(pair: Pair) -> None:
    pair.gate.hold(STORED, "answer")
    asked = pair.begin()
    assert pair.gate.answered.wait(PATIENCE_SECONDS)
    pair.gate.close()
    pair.gate.open()
    assert asked.result(PATIENCE_SECONDS).status_code == 200
    pair.goes_on()
    assert pair.knobs("GET") == counted(1, 1)


def test_a_caller_that_hangs_up_loses_nothing(pair: Pair) -> None:
    pair.knobs("POST", refresh={"slow_seconds": 0.5, "at": "end", "times": 1})
    body = urlencode(pair.form).encode()
    address = urlsplit(pair.victim.url)
    head = (f"POST /oauth/token HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {len(body)}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n")  # fmt: skip
    with socket.create_connection(("127.0.0.1", pair.victim.port)) as caller:
        caller.sendall(head.encode() + body)
        provider_is_at_it(pair)
    until(lambda: pair.row() == (1, "live", False), "the refresh")
    pair.goes_on()
    assert pair.knobs("GET") == counted(1, 1)
