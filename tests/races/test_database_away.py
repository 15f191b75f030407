"""The database is away, and comes back: everybody is told to try again, and then it all works as before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.harness import migrated
from tests.harness.demo import exchange_form
from tests.harness.gate import Gate
from tests.harness.oauth import OAuthClient, claims
from tests.harness.person import Person
from tests.harness.server import Server

PATIENCE_SECONDS = 40
Ask = Callable[[httpx.Client], httpx.Response]


@pytest.fixture
def gate(postgres_url: str) -> Iterator[Gate]:
    with migrated.database(postgres_url) as url, Gate(url) as gate:
        yield gate


def answers(server: Server, asking: list[Ask]) -> list[httpx.Response]:
    """All at once: each waits for a connection as long as the pool lets it."""

    def one(ask: Ask) -> httpx.Response:
        with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as http:
            return ask(http)

    with ThreadPoolExecutor(len(asking)) as threads:
        return list(threads.map(one, asking))


def test_machines_and_people_are_told_to_try_again(gate: Gate, start_server: Any) -> None:
    server = start_server(AUTHSERVER_DATABASE_URL=gate.url)
    client = OAuthClient.registered(server.issuer)
    flow = client.begin(resource=f"{server.issuer}/demo/mcp")
    tokens = client.finish(flow, Person().authorize(flow.url))
    exchange = exchange_form(server, tokens["access_token"])
    tsid = claims(tokens["access_token"])["tsid"]
    caller = ("demo-mcp-server", exchange["client_secret"])
    refresh = {"grant_type": "refresh_token", "client_id": client.client_id, "refresh_token": tokens["refresh_token"]}
    metadata = {"redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none"}
    machines: list[Ask] = [
        lambda http: http.post("/oauth/token", data=exchange),
        lambda http: http.post("/oauth/token", data=refresh),
        lambda http: http.post("/oauth/register", json=metadata),
        lambda http: http.get(f"/api/v1/sessions/{tsid}/upstream-tokens", auth=caller),
        lambda http: http.post("/oauth/backchannel-logout/demo", data={"logout_token": "not.a.token"}),
    ]
    introspect = {"token": tokens["access_token"], "client_id": caller[0], "client_secret": caller[1]}
    machines += [
        lambda http: http.post("/oauth/introspect", data=introspect),
        lambda http: http.get("/api/v1/revocations", auth=caller),
        lambda http: http.get("/oauth/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"}),
        lambda http: http.post("/oauth/revoke", data={"client_id": client.client_id, "token": "unknown"}),
    ]
    people: list[Ask] = [lambda http: http.get(client.begin(resource=f"{server.issuer}/demo/mcp").url)]

    gate.close()
    told = answers(server, machines)
    assert [(answer.status_code, answer.json()["error"]) for answer in told] == [(503, "temporarily_unavailable")] * 9
    assert all(answer.headers["Retry-After"] for answer in told)
    (page,) = answers(server, people)
    assert page.status_code == 503
    assert "cannot do that at the moment" in page.text
    assert httpx.get(f"{server.url}/livez").status_code == 200
    ready = httpx.get(f"{server.url}/readyz", timeout=PATIENCE_SECONDS)
    rest = dict.fromkeys(("vault", "sealing", "vault_keys", "signing"), "not_asked")
    assert (ready.status_code, ready.json()) == (503, {"database": "failed", **rest})

    gate.open()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while httpx.get(f"{server.url}/readyz", timeout=PATIENCE_SECONDS).status_code != 200:
        assert time.monotonic() < deadline
    assert [answer.status_code for answer in answers(server, machines + people)] == [
        200,
        200,
        201,
        200,
        400,
        200,
        200,
        403,
        200,
        200,
    ]
    server.stop()


def test_a_database_that_vanished_without_a_word_is_not_waited_for(gate: Gate, start_server: Any) -> None:
    """Nobody answers the pool's connections, and they are given up: the next ones get through as soon as they can."""
    server = start_server(AUTHSERVER_DATABASE_URL=gate.url)
    revocation = {"client_id": OAuthClient.registered(server.issuer).client_id, "token": "unknown"}
    asking: list[Ask] = [lambda http: http.post("/oauth/revoke", data=revocation)] * 6
    gate.close(silently=True)
    assert [answer.status_code for answer in answers(server, asking)] == [503] * 6
    gate.open()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while [answer.status_code for answer in answers(server, asking)] != [200] * 6:
        assert time.monotonic() < deadline
    server.stop()
