"""One upstream refresh at a time, over two processes: everybody gets its result."""

from __future__ import annotations

from tests.harness.demo import knobs
from tests.races.conftest import Racers

WAYS, ROUNDS = 24, 10


def test_parallel_exchanges_of_an_expired_token_cause_one_refresh(racers: Racers) -> None:
    server = racers.servers[0]
    try:
        for _ in range(ROUNDS):
            form = racers.with_an_expired_upstream_token()
            answers = racers.at_once(form, WAYS)
            assert [answer.status_code for answer in answers] == [200] * WAYS, answers[0].text
            assert len({answer.json()["access_token"] for answer in answers}) == 1
            counted = knobs(server, "GET")
            assert counted["refresh_requests"] == counted["refresh_successes"] == 1
            assert counted["reuse_detected"] == 0
    finally:
        knobs(server, "DELETE")
