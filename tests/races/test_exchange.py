"""One upstream refresh at a time, over two processes: everybody gets its result."""

from __future__ import annotations

from typing import Any

import httpx

from tests.harness.oauth import ACCESS_TOKEN, TOKEN_EXCHANGE
from tests.harness.person import Person
from tests.races.conftest import Racers

WAYS, ROUNDS = 24, 20


def knobs(racers: Racers, method: str, **settings: Any) -> dict[str, Any]:
    answer = httpx.request(
        method,
        f"{racers.servers[0].url}/demo/idp/knobs",
        auth=("authserver-demo", racers.servers[0].secret("demo_client_secret")),
        json=settings or None,
    )
    assert answer.status_code == 200, answer.text
    counters: dict[str, Any] = answer.json()["counters"]
    return counters


def test_parallel_exchanges_of_an_expired_token_cause_one_refresh(racers: Racers) -> None:
    secret = racers.servers[0].secret("demo_resource_server_secret")
    try:
        for _ in range(ROUNDS):
            knobs(racers, "POST", token={"answer": {"expires_in": 0}})  # what this sign-in brings is over at once
            racers.person = Person("Grace")
            token = racers.one(racers.code_form(*racers.approve())).json()["access_token"]
            knobs(racers, "DELETE")
            form = {
                "grant_type": TOKEN_EXCHANGE,
                "subject_token": token,
                "subject_token_type": ACCESS_TOKEN,
                "client_id": "demo-mcp-server",
                "client_secret": secret,
            }
            answers = racers.at_once(form, WAYS)
            assert [answer.status_code for answer in answers] == [200] * WAYS, answers[0].text
            assert len({answer.json()["access_token"] for answer in answers}) == 1
            counted = knobs(racers, "GET")
            assert counted["refresh_requests"] == counted["refresh_successes"] == 1
            assert counted["reuse_detected"] == 0
    finally:
        knobs(racers, "DELETE")
