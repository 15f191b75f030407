"""Refresh against revoke, on two processes: once a revocation was acknowledged, nothing of the family works anywhere."""

from __future__ import annotations

from concurrent.futures import wait
from typing import Any

import httpx
import pytest

from tests.harness.demo import exchange_form
from tests.harness.oauth import claims
from tests.races.conftest import WAYS, Racers

pytestmark = pytest.mark.postgres
ROUNDS = 60
REFRESHES = 4


def own(racers: Racers) -> dict[str, str]:
    """How the demo's resource server proves itself."""
    return {"client_id": "demo-mcp-server", "client_secret": racers.servers[0].secret("demo_resource_server_secret")}


def is_dead(racers: Racers, http: httpx.Client, tokens: dict[str, Any]) -> bool:
    proof, tsid = own(racers), claims(tokens["access_token"])["tsid"]
    told = [
        http.post("/oauth/introspect", data={**proof, "token": tokens[kind]}).json()
        for kind in ("access_token", "refresh_token")
    ]
    refreshed = http.post("/oauth/token", data=racers.refresh_form(tokens["refresh_token"]))
    exchanged = http.post("/oauth/token", data=exchange_form(racers.servers[0], tokens["access_token"]))
    read = http.post(f"/api/v1/sessions/{tsid}/upstream-tokens", data=proof)
    return told == [{"active": False}] * 2 and [refreshed.status_code, exchanged.status_code, read.status_code] == [
        400,
        400,
        404,
    ]


def test_after_an_acknowledged_revoke_nothing_of_the_family_works_whichever_won(racers: Racers) -> None:
    won = {"refresh": 0, "revoke": 0}
    for number in range(ROUNDS):
        tokens = racers.one(racers.code_form(*racers.approve())).json()
        clients = [racers.https[(number + index) % 2 * WAYS + index] for index in range(REFRESHES + 1)]
        form = racers.refresh_form(tokens["refresh_token"])
        refreshes = [racers.pool.submit(http.post, "/oauth/token", data=form) for http in clients[:REFRESHES]]
        revoke = racers.pool.submit(
            clients[-1].post, "/oauth/revoke", data={"client_id": "racer", "token": tokens["refresh_token"]}
        )
        wait([*refreshes, revoke])
        assert revoke.result().status_code == 200
        answers = [each.result() for each in refreshes]
        assert {answer.status_code for answer in answers} <= {200, 400}
        issued = [tokens, *(answer.json() for answer in answers if answer.status_code == 200)]
        won["refresh" if len(issued) > 1 else "revoke"] += 1
        for family in (issued[0], issued[-1]):
            assert is_dead(racers, clients[number % len(clients)], family), number
    assert min(won.values()) > 0, f"one of the two always came first, so that nothing was tried: {won}"
