"""One approved client over two server processes and one PostgreSQL: each authorization is one request."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.demo import exchange_form, knobs
from tests.harness.oauth import Flow, OAuthClient
from tests.harness.person import Person
from tests.harness.server import Server

WAYS = 12
CONFIGURATION = """
clients:
  - {client_id: racer, name: Racer, redirect_uris: ["http://127.0.0.1/callback"], token_endpoint_auth_method: none}
"""


class Racers:
    """Sends one request many times at once, half to each process."""

    def __init__(self, servers: tuple[Server, Server], person: Person) -> None:
        self.servers = servers
        self.issuer = servers[0].issuer
        self.client = OAuthClient(self.issuer, "racer", "http://127.0.0.1:7777/callback")
        self.person = person
        self.pool = ThreadPoolExecutor(WAYS * 2)
        self.https = [httpx.Client(base_url=server.url, timeout=30) for server in servers for _ in range(WAYS)]

    def approve(self) -> tuple[Flow, str]:
        """A code: after the first time the approval is remembered, and this is one GET."""
        flow = self.client.begin(resource=f"{self.issuer}/demo/mcp")
        return flow, self.client.code(flow, self.person.authorize(flow.url))

    def code_form(self, flow: Flow, code: str) -> dict[str, str]:
        return {
            "grant_type": "authorization_code",
            "client_id": "racer",
            "code": code,
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
        }

    def refresh_form(self, refresh_token: str) -> dict[str, str]:
        return {"grant_type": "refresh_token", "client_id": "racer", "refresh_token": refresh_token}

    def with_an_expired_upstream_token(self) -> dict[str, str]:
        """A new sign-in of Grace's, and the exchange of its token; what the provider gave her is over at once."""
        knobs(self.servers[0], "POST", token={"answer": {"expires_in": 0}})
        self.person = Person("Grace")
        token = self.one(self.code_form(*self.approve())).json()["access_token"]
        knobs(self.servers[0], "DELETE")
        return exchange_form(self.servers[0], token)

    def at_once(self, form: dict[str, str], ways: int = WAYS, **options: Any) -> list[httpx.Response]:
        """The answers to `ways` parallel token requests, half of them at each process."""
        clients = [self.https[index // 2 + (index % 2) * WAYS] for index in range(ways)]
        return list(self.pool.map(lambda http: http.post("/oauth/token", data=form, **options), clients))

    def close(self) -> None:
        self.pool.shutdown()
        for http in self.https:
            http.close()

    def one(self, form: dict[str, str]) -> httpx.Response:
        return self.https[0].post("/oauth/token", data=form)


@pytest.fixture(scope="session")
def racers(two_servers: tuple[Server, Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Racers]:
    file: Path = tmp_path_factory.mktemp("racer") / "racer.yaml"
    file.write_text(CONFIGURATION)
    applied = two_servers[0].manage("apply_config", str(file))
    assert applied.returncode == 0, applied.stdout + applied.stderr
    racing = Racers(two_servers, Person())
    yield racing
    racing.close()
