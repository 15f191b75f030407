"""What `deploy/compose.yaml` describes, as processes: nginx, two gunicorn masters, one PostgreSQL, one Redis.

In demo mode, so that there is a provider to sign in at; everything else is as it is deployed.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.harness import nginx, processes, redis
from tests.harness import server as servers
from tests.harness.nginx import Nginx
from tests.harness.redis import Redis
from tests.harness.server import Server


@dataclass(frozen=True)
class Topology:
    """`replicas` are two masters of one server: their `issuer` is the address of `nginx`, each `url` its own."""

    nginx: Nginx
    replicas: list[Server]
    cache: Redis
    start: Callable[[int], Server] = field(repr=False)

    def replace(self, number: int) -> None:
        """Stop a replica, start it again, and wait until nginx passes requests to it again, as an update does."""
        assert self.replicas[number].stop() == 0
        self.start_again(number)

    def start_again(self, number: int) -> None:
        """Start a replica that has ended, and wait until nginx passes requests to it again."""
        before = self.replicas[number]
        before.log_file.rename(before.log_file.with_suffix(".before.log"))
        told = len(self.nginx.log)
        self.replicas[number] = self.start(before.port).wait()
        trusting = ssl.create_default_context(cafile=str(self.nginx.certificate))
        taken_back = f'"upstream":"127.0.0.1:{before.port}","upstream_status":"200"'
        deadline = time.monotonic() + servers.START_SECONDS
        while taken_back not in self.nginx.log[told:]:
            assert time.monotonic() < deadline, "nginx does not take it back"
            httpx.get(f"{before.issuer}/livez", verify=trusting)
            time.sleep(0.05)

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
        redis.running(directory) as cache,
        nginx.running(directory, port=port, backends=backends, tls=tls) as proxy,
    ):
        environment: dict[str, Any] = {
            "AUTHSERVER_DATABASE_URL": database_url,
            "AUTHSERVER_CACHE_URL": cache.url,
            "AUTHSERVER_TRUSTED_PROXIES": "1",
            "AUTHSERVER_WORKERS": "2",
            "AUTHSERVER_LOG_FORMAT": "json",
            "AUTHSERVER_CA_FILE": str(proxy.certificate),  # it is its own provider
            **variables,
        }

        def start(backend: int) -> Server:
            started.append(servers.launch(directory / "data", issuer=issuer, port=backend, **environment))
            return started[-1]

        try:
            replicas = [start(backend) for backend in backends]
            yield Topology(proxy, [replica.wait() for replica in replicas], cache, start)
        finally:
            for one in started:
                one.process.terminate()  # all of them; then each is waited for
            for one in started:
                one.stop()
