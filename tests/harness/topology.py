"""What `deploy/compose.yaml` describes, as processes: nginx, two gunicorn masters, one PostgreSQL, one Redis.

In demo mode, so that there is a provider to sign in at; everything else is as it is deployed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness import nginx, processes, redis
from tests.harness import server as servers
from tests.harness.nginx import Nginx
from tests.harness.server import Server


@dataclass(frozen=True)
class Topology:
    """`replicas` are two masters of one server: their `issuer` is the address of `nginx`, each `url` its own."""

    nginx: Nginx
    replicas: tuple[Server, Server]

    @property
    def server(self) -> Server:
        """The server as others see it, by its issuer. What only this machine may ask, it is asked at its own `url`."""
        return self.replicas[0]


@contextmanager
def running(directory: Path, database_url: str, *, tls: bool = False, **variables: str) -> Iterator[Topology]:
    """Everything up, over an empty database; `variables` are added to both masters' environment."""
    port = processes.free_port()
    backends = processes.free_port(), processes.free_port()
    issuer = f"{'https' if tls else 'http'}://localhost:{port}"
    started: list[Server] = []
    with (
        redis.server(directory) as cache_url,
        nginx.running(directory, port=port, backends=backends, tls=tls) as proxy,
    ):
        environment = {
            "AUTHSERVER_DATABASE_URL": database_url,
            "AUTHSERVER_CACHE_URL": cache_url,
            "AUTHSERVER_TRUSTED_PROXIES": "1",
            "AUTHSERVER_WORKERS": "2",
            "AUTHSERVER_LOG_FORMAT": "json",
            "AUTHSERVER_CA_FILE": str(proxy.certificate),  # it is its own provider
            **variables,
        }
        try:
            for backend in backends:
                started.append(servers.launch(directory / "data", issuer=issuer, port=backend, **environment))
            first, second = (one.wait() for one in started)
            yield Topology(proxy, (first, second))
        finally:
            for one in started:
                one.stop()
