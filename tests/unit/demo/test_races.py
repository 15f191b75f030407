"""One-use decisions under parallel requests, at a real server; on PostgreSQL at two processes of it.

The provider has to be right here before a test can count on "exactly one refresh reached the provider".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.harness.person import Person, parameters
from tests.harness.server import Server
from tests.unit.demo.conftest import SCOPE, VERIFIER, challenge

ROUNDS = 5
AT_ONCE = 12
CLIENT_ID = "authserver-demo"


class Servers:
    """The processes of one server; parallel requests go to them in turn."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.urls = [f"{server.url}/demo/idp" for server in servers]
        self.redirect_uri = f"{servers[0].issuer}/oauth/callback/demo"
        self.http = httpx.Client(auth=(CLIENT_ID, servers[0].secret("demo_client_secret")), timeout=60)

    def code(self) -> str:
        query = httpx.QueryParams(
            response_type="code",
            client_id=CLIENT_ID,
            redirect_uri=self.redirect_uri,
            scope=SCOPE,
            code_challenge=challenge(VERIFIER),
            code_challenge_method="S256",
        )
        with Person("Ada") as person:
            return parameters(person.walk(f"{self.urls[0]}/authorize?{query}", until=self.redirect_uri))["code"]

    def redemption(self) -> dict[str, str]:
        code = {"grant_type": "authorization_code", "code": self.code(), "code_verifier": VERIFIER}
        return code | {"redirect_uri": self.redirect_uri}

    def token(self, form: dict[str, str], server: int = 0) -> httpx.Response:
        return self.http.post(f"{self.urls[server % len(self.urls)]}/token", data=form)

    def at_once(self, form: dict[str, str]) -> list[httpx.Response]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda number: self.token(form, number), range(AT_ONCE)))

    def turn(self, **knobs: Any) -> None:
        self.http.post(f"{self.urls[0]}/knobs", json=knobs).raise_for_status()

    def reset(self) -> None:
        self.http.delete(f"{self.urls[0]}/knobs").raise_for_status()

    @property
    def counters(self) -> dict[str, int]:
        counters: dict[str, int] = self.http.get(f"{self.urls[0]}/knobs").json()["counters"]
        return counters


@pytest.fixture(params=["one process", pytest.param("two processes", marks=pytest.mark.postgres)])
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    if request.param == "one process":
        running = Servers([request.getfixturevalue("demo_server")])
    else:
        running = Servers(request.getfixturevalue("two_servers"))
    running.reset()
    yield running
    running.reset()
    running.http.close()


def statuses(answers: list[httpx.Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


def test_of_parallel_redemptions_one_gets_tokens(servers: Servers) -> None:
    for _ in range(ROUNDS):
        assert statuses(servers.at_once(servers.redemption())) == [200] + [400] * (AT_ONCE - 1)
    assert servers.counters["code_successes"] == ROUNDS
    assert servers.counters["code_replays"] == ROUNDS * (AT_ONCE - 1)


def test_of_parallel_refreshes_one_gets_tokens(servers: Servers) -> None:
    servers.turn(reuse_detection=False)
    refresh_token = servers.token(servers.redemption()).json()["refresh_token"]
    for _ in range(ROUNDS):
        answers = servers.at_once({"grant_type": "refresh_token", "refresh_token": refresh_token})
        assert statuses(answers) == [200] + [400] * (AT_ONCE - 1)
        refresh_token = next(answer for answer in answers if answer.status_code == 200).json()["refresh_token"]
    assert servers.counters["refresh_requests"] == ROUNDS * AT_ONCE
    assert servers.counters["refresh_successes"] == ROUNDS
    assert servers.counters["reuse_detected"] == ROUNDS * (AT_ONCE - 1)


def test_with_reuse_detection_parallel_refreshes_end_the_family(servers: Servers) -> None:
    refresh_token = servers.token(servers.redemption()).json()["refresh_token"]
    answers = servers.at_once({"grant_type": "refresh_token", "refresh_token": refresh_token})
    assert statuses(answers) == [200] + [400] * (AT_ONCE - 1)
    winner = next(answer for answer in answers if answer.status_code == 200).json()
    after = servers.token({"grant_type": "refresh_token", "refresh_token": winner["refresh_token"]})
    assert after.json()["error"] == "invalid_grant"


def test_a_fault_happens_exactly_as_often_as_told(servers: Servers) -> None:
    servers.turn(refresh={"status": 503, "times": 5})
    answers = servers.at_once({"grant_type": "refresh_token", "refresh_token": "rt_unknown"})
    assert statuses(answers) == [400] * (AT_ONCE - 5) + [503] * 5
