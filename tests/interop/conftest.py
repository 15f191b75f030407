"""The whole deployment that a client meets: our server, and the example MCP server as one of its resources.

On SQLite our server is one process. On PostgreSQL it is the topology of `deploy/compose.yaml`, and every one of these
tests goes through its nginx.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.conftest import StartServer
from tests.harness import demo, environment, processes
from tests.harness.server import Server
from tests.harness.topology import Topology
from tests.interop import example
from tests.interop.example import Example

CONFIGURATION = """
resources:
  - identifier: {identifier}
    name: Interoperability example
    scopes: {{"{scope}": use its tools}}
    upstreams: [{{name: demo, scopes: ["demo:read"], required: true}}]
  - identifier: {at_root}
    name: A server at the root of its host
    scopes: {{"{scope}": use its tools}}
    upstreams: [{{name: demo, scopes: ["demo:read"], required: true}}]
resource_servers:
  - client_id: {server_id}
    client_secret: {{file: {secret_file}}}
    resources: ["{identifier}", "{at_root}"]
"""
AT_ROOT = "https://mcp.example.com"  # nobody listens there, and nobody has to


@dataclass(frozen=True)
class Deployment:
    """`authserver.issuer` signs people in for `mcp.url` and for `AT_ROOT`; `secret` is the resource server's of both."""

    authserver: Server
    mcp: Example
    secret: str = field(repr=False)

    def turn(self, **knobs: object) -> None:
        """Turn knobs of the demo identity provider; without any, put them all back."""
        demo.knobs(self.authserver, "POST" if knobs else "DELETE", **knobs)


@pytest.fixture(scope="session")
def demo_server(request: pytest.FixtureRequest) -> Server:
    """The one of the whole session; on PostgreSQL, what stands behind nginx."""
    if not environment.on_postgres():
        shared: Server = request.getfixturevalue("demo_server")
        return shared
    topology: Topology = request.getfixturevalue("topology")
    return topology.server


@pytest.fixture(scope="session")
def deployment(
    request: pytest.FixtureRequest, start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    directory = tmp_path_factory.mktemp("deployment")
    behind_nginx = environment.on_postgres()
    authserver: Server = request.getfixturevalue("demo_server") if behind_nginx else start_server()
    port, secret = processes.free_port(), secrets.token_urlsafe(32)
    secret_file, file = directory / "secret", directory / "resources.yaml"
    secret_file.write_text(secret)
    file.write_text(
        CONFIGURATION.format(
            identifier=example.address(port),
            at_root=AT_ROOT,
            scope=example.SCOPE,
            server_id=example.SERVER_ID,
            secret_file=secret_file,
        )
    )
    applied = authserver.manage("apply_config", str(file))
    assert applied.returncode == 0, applied.stdout + applied.stderr
    with example.running(directory, issuer=authserver.issuer, secret=secret, port=port) as mcp:
        yield Deployment(authserver, mcp, secret)
