"""Signing keys are turned over and revoked under traffic on two processes.

Time is data: letting it pass ages the rows and the verifiers' copies of the key set alike, and nothing sleeps for it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock
from typing import Any

import httpx
import jwt
import psycopg
import pytest

from authserver.keys.rotation import PUBLISHED_AT_LEAST
from tests.harness.demo import exchange_form
from tests.harness.oauth import header
from tests.harness.server import Server
from tests.races.conftest import Racers

TURNS, STEP_SECONDS, PATIENCE_SECONDS = 3, 60, 15
SEEN_WITHIN_SECONDS = 6  # two until a process reads the rows again, two until it makes the JWKS anew, and a margin


class Time:
    """Seconds, of which some never passed."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        self.skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.skipped

    def let_pass(self, seconds: float) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as database:
            ago = {"ago": f"{seconds} seconds"}
            for column in ("created_at", "activated_at", "retired_at"):
                database.execute(f"UPDATE authserver_signingkey SET {column} = {column} - %(ago)s::interval", ago)  # noqa: S608 - our own columns
        self.skipped += seconds


class Verifier:
    """A resource server that holds the JWKS exactly as long as its Cache-Control says, whatever kid it meets."""

    def __init__(self, servers: tuple[Server, Server], clock: Time, late_by: float) -> None:
        """`late_by` seconds into its copy's life when it begins: each of several asks at another moment."""
        self.servers, self.clock = servers, clock
        self.fetched = 0
        self.lock = Lock()
        self.fetch()
        self.stale_at -= late_by

    def fetch(self) -> None:
        answer = httpx.get(f"{self.servers[self.fetched % 2].url}/.well-known/jwks.json")
        self.keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(answer.json()).keys}
        [max_age] = re.findall(r"max-age=(\d+)", answer.headers["Cache-Control"])
        self.stale_at = self.clock() + int(max_age)
        self.fetched += 1

    def verify(self, token: str) -> None:
        """Raises where it would turn the caller away."""
        with self.lock:
            if self.clock() >= self.stale_at:
                self.fetch()
            key = self.keys[header(token)["kid"]]
        jwt.decode(token, key, algorithms=[key.algorithm_name], options={"verify_aud": False})


class Traffic:
    """Token requests on both processes without a pause, every token checked by every verifier."""

    def __init__(self, racers: Racers, verifiers: list[Verifier]) -> None:
        self.racers, self.verifiers = racers, verifiers
        self.signed: dict[str, dict[int, str]] = {}  # by kid and process, the first token
        self.rounds = [0] * len(racers.servers)
        self.ended = Event()
        self.pool = ThreadPoolExecutor(len(self.rounds))
        self.running: list[Future[None]] = []

    def begin(self) -> None:
        first = [self.racers.one(self.racers.code_form(*self.racers.approve())).json() for _ in self.rounds]
        self.running = [self.pool.submit(self.go_on, number, tokens) for number, tokens in enumerate(first)]

    def go_on(self, number: int, tokens: dict[str, Any]) -> None:
        with httpx.Client(base_url=self.racers.servers[number].url, timeout=30) as http:
            while not self.ended.is_set():
                answer = http.post("/oauth/token", data=self.racers.refresh_form(tokens["refresh_token"]))
                assert answer.status_code == 200, answer.text
                tokens = answer.json()
                token = tokens["access_token"]
                self.signed.setdefault(header(token)["kid"], {}).setdefault(number, token)
                for verifier in self.verifiers:
                    verifier.verify(token)
                self.rounds[number] += 1

    def a_round(self) -> None:
        """Until each process has signed and every verifier has verified once more."""
        before = list(self.rounds)
        until(lambda: all(now > then + 1 for now, then in zip(self.rounds, before, strict=True)) or self.broken())

    def broken(self) -> bool:
        return any(future.done() for future in self.running)

    def end(self) -> None:
        """Raises what went wrong."""
        self.ended.set()
        self.pool.shutdown()
        for future in self.running:
            future.result()


def until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def rotate(server: Server, *arguments: str) -> str:
    done = server.manage("rotate_signing_key", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def published(server: Server) -> list[str]:
    return [key["kid"] for key in httpx.get(f"{server.url}/.well-known/jwks.json").json()["keys"]]


@pytest.fixture
def clock(two_servers: tuple[Server, Server]) -> Time:
    return Time(two_servers[0].database_url)


@pytest.fixture
def traffic(racers: Racers, clock: Time) -> Iterator[Traffic]:
    traffic = Traffic(racers, [Verifier(racers.servers, clock, late_by) for late_by in (0, 100, 200)])
    yield traffic
    traffic.ended.set()
    traffic.pool.shutdown()


def test_three_turns_under_traffic_fail_no_verification(racers: Racers, clock: Time, traffic: Traffic) -> None:
    traffic.begin()
    kids = published(racers.servers[0])[:1]
    for _ in range(TURNS):
        [kid] = re.findall(r"^(\S+) is published\.", rotate(racers.servers[0]), re.MULTILINE)
        kids.append(kid)
        until(lambda kid=kid: all(kid in published(server) for server in racers.servers))  # type: ignore[misc]
        for _ in range(int(PUBLISHED_AT_LEAST.total_seconds()) // STEP_SECONDS):
            clock.let_pass(STEP_SECONDS)
            traffic.a_round()
        assert f"{kid} signs from now on." in rotate(racers.servers[1], "--now")
    until(lambda: len(traffic.signed.get(kids[-1], {})) == 2 or traffic.broken())
    traffic.a_round()
    traffic.end()
    assert list(traffic.signed) == kids
    assert all(len(by_process) == 2 for by_process in traffic.signed.values()), "both processes signed with each"
    for verifier in traffic.verifiers:
        assert verifier.fetched >= TURNS * 2
        for by_process in traffic.signed.values():
            for token in by_process.values():
                verifier.verify(token)  # also what the first key signed
    assert min(traffic.rounds) > TURNS * PUBLISHED_AT_LEAST.total_seconds() / STEP_SECONDS


def test_what_a_revoked_key_signed_is_refused_everywhere_within_seconds(racers: Racers) -> None:
    tokens = racers.one(racers.code_form(*racers.approve())).json()
    kid = header(tokens["access_token"])["kid"]

    def exchanged(server: Server, token: str) -> int:
        return httpx.post(f"{server.url}/oauth/token", data=exchange_form(server, token)).status_code

    assert [exchanged(server, tokens["access_token"]) for server in racers.servers] == [200, 200]
    assert "Sessions go on" in rotate(racers.servers[0], "--revoke", kid, "--reason", "it was found on a train")
    until(
        lambda: all(exchanged(server, tokens["access_token"]) == 400 for server in racers.servers), SEEN_WITHIN_SECONDS
    )
    until(lambda: not any(kid in published(server) for server in racers.servers), SEEN_WITHIN_SECONDS)

    fresh = racers.one(racers.refresh_form(tokens["refresh_token"])).json()["access_token"]
    assert header(fresh)["kid"] != kid
    assert [exchanged(server, fresh) for server in racers.servers] == [200, 200]
    assert racers.servers[0].manage("rotate_signing_key", "--revoke", kid).returncode == 1
