"""What the scenarios break: two hosts behind nginx, their PostgreSQL and Redis, and a provider that is somebody else's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.harness import demo, processes, topology
from tests.harness import server as servers
from tests.harness.oauth import ACCESS_TOKEN, TOKEN_EXCHANGE
from tests.harness.postgres import Cluster
from tests.harness.server import Server
from tests.harness.topology import Topology

PROVIDER, MCP_SERVER, SECRET = "idp", "mcp-server", "a-secret-of-the-scenarios-with-enough-length"
PATIENCE_SECONDS = 20
CONFIGURATION = """
upstreams:
  - name: {name}
    type: oidc
    issuer: {provider}/demo/idp
    client_id: authserver
    client_secret: {{file: {secret}}}
    scopes: [openid, profile, email, offline_access, "demo:read"]
    sign_in: true
    allow_private_network: true
resources:
  - identifier: ${{AUTHSERVER_ISSUER}}/mcp
    name: MCP server
    scopes: {{"mcp:tools": use its tools}}
    upstreams: [{{name: {name}, scopes: ["demo:read"], required: true}}]
resource_servers:
  - client_id: {mcp_server}
    client_secret: {{file: {secret}}}
    resources: ["${{AUTHSERVER_ISSUER}}/mcp"]
"""


@dataclass
class Hosts:
    """Two replicas of one server. The provider is a server of its own, on nothing that they share."""

    topology: Topology
    postgres: Cluster
    provider: Server

    @property
    def issuer(self) -> str:
        return self.topology.server.issuer

    @property
    def resource(self) -> str:
        return f"{self.issuer}/mcp"

    def knobs(self, method: str, **settings: Any) -> dict[str, Any]:
        return demo.knobs(self.provider, method, **settings)

    def sql(self, statement: str) -> list[Any]:
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def dead_credentials(self) -> int:
        ((count,),) = self.sql("SELECT count(*) FROM accounts_credential WHERE state = 'dead'")
        return int(count)

    def until_ready(self) -> None:
        """Until every host says that it is ready, without anybody having touched it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        for replica in self.topology.replicas:
            while httpx.get(f"{replica.url}/readyz", timeout=PATIENCE_SECONDS).status_code != 200:
                assert time.monotonic() < deadline, f"{replica.url} does not come back"
                time.sleep(0.05)


def exchange_form(access_token: str) -> dict[str, str]:
    """A token exchange by the MCP server, for the person's token at the provider."""
    return {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": access_token,
        "subject_token_type": ACCESS_TOKEN,
        "client_id": MCP_SERVER,
        "client_secret": SECRET,
    }


def start_provider(directory: Path, port: int | None = None) -> Server:
    """The demo provider, on 127.0.0.1: browsers keep one jar of cookies for all ports of a host."""
    port = port or processes.free_port()
    issuer = f"http://127.0.0.1:{port}"
    return servers.launch(
        directory / "provider", issuer=issuer, port=port, AUTHSERVER_ALLOWED_HOSTS="127.0.0.1,localhost"
    )


def start_provider_again(before: Server) -> Server:
    """Over what it kept, at the same address."""
    return start_provider(before.data_dir.parent, before.port).wait()


def configuration(directory: Path, provider: Server) -> Path:
    """The file of a server whose people sign in at this provider."""
    file, secret = directory / "hosts.yaml", directory / "secret"
    secret.write_text(SECRET)
    file.write_text(CONFIGURATION.format(name=PROVIDER, provider=provider.issuer, secret=secret, mcp_server=MCP_SERVER))
    return file


def introduce(provider: Server, issuer: str) -> None:
    """Register us at the provider."""
    callback = f"{issuer}/oauth/callback/{PROVIDER}"
    client = {"client_id": "authserver", "client_secret": SECRET, "redirect_uris": [callback]}
    demo.knobs(provider, "POST", clients=[client])


@contextmanager
def running(directory: Path, postgres: Cluster) -> Iterator[Hosts]:
    provider = start_provider(directory).wait()
    try:
        file = configuration(directory, provider)
        with topology.running(directory, postgres.url, AUTHSERVER_CONFIG=str(file)) as started:
            hosts = Hosts(started, postgres, provider)
            introduce(provider, hosts.issuer)
            try:
                yield hosts
            finally:
                hosts.provider.stop()
    finally:
        provider.stop()
