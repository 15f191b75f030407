"""Our server as in production: gunicorn with a worker a core over PostgreSQL, configured from a file, limits switched off.

Rate limits are off because one address sends everything here; the log is on, as an operator has it.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.target import ROOT, Database, Target, launch
from tests.harness import postgres, processes

CLIENT_ID, REDIRECT_URI = "bench", "https://client.example.com/callback"
RESOURCE, DUE_RESOURCE = "https://mcp.example.com/mcp", "https://due.example.com/mcp"
RESOURCE_SERVER = "bench-server"
_WITHOUT_LIMIT = ("token", "register", "authorize", "exchange", "introspect", "client_authentication")


@dataclass
class Seeded:
    """What the load generator may use: sessions (`refresh_token`, `access_token`), sessions whose upstream token is due
    (`access_token`), and signed-in browsers (`cookie`)."""

    sessions: list[dict[str, str]] = field(repr=False)
    due: list[dict[str, str]] = field(repr=False)
    browsers: list[dict[str, str]] = field(repr=False)


@dataclass
class Deployment:
    target: Target
    environment: dict[str, str] = field(repr=False)
    resource_server_secret: str = field(repr=False)
    directory: Path
    seeded: Seeded = field(default_factory=lambda: Seeded([], [], []))

    def seed(self, *, sessions: int, used: int, due: int, browsers: int) -> None:
        """Fill the database up to so many sessions, with fresh ones to use among them. In a process of its own."""
        asked = {"sessions": sessions, "used": used, "due": due, "browsers": browsers}
        made: dict[str, Any] = json.loads(self.run("-m", "bench.seeding", json.dumps(asked)))
        self.seeded = Seeded(**made)

    def manage(self, *arguments: str) -> str:
        return self.run("manage.py", *arguments)

    def run(self, *arguments: str) -> str:
        """Python in the server's environment."""
        return run(self.environment, *arguments)


def run(environment: dict[str, str], *arguments: str) -> str:
    """Python with the server's environment; its standard output. Raises `CalledProcessError`."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True,
        check=True,
    ).stdout  # fmt: skip


@contextmanager
def deployed(database: Database, directory: Path, *, workers: int = 2, threads: int = 4) -> Iterator[Deployment]:
    """Ours, ready, over an empty database, with a provider beside it."""
    port, provider_port = processes.free_port(), processes.free_port()
    secret = secrets.token_urlsafe(32)
    with ExitStack() as stack:
        url = stack.enter_context(postgres.database(database.url))
        configuration = directory / "config.yaml"
        configuration.write_text(_configuration(provider_port))
        environment = {
            "AUTHSERVER_ISSUER": f"http://localhost:{port}",
            "AUTHSERVER_SECRET_KEY": secrets.token_urlsafe(64),
            "AUTHSERVER_VAULT_KEYS": "b1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
            "AUTHSERVER_DATABASE_URL": url,
            "AUTHSERVER_DATA_DIR": str(directory),
            "AUTHSERVER_CONFIG": str(configuration),
            "AUTHSERVER_WORKERS": str(workers),
            "AUTHSERVER_THREADS": str(threads),
            "AUTHSERVER_RATE_LIMITS": ",".join(f"{name}=" for name in _WITHOUT_LIMIT),
            "DJANGO_SETTINGS_MODULE": "authserver.settings",
            "BENCH_SECRET": secret,
        }
        run(environment, "manage.py", "bootstrap")
        provider = subprocess.Popen(
            [sys.executable, "-m", "bench.provider", str(provider_port)], cwd=ROOT,
            preexec_fn=processes.die_with_parent,
        )  # fmt: skip
        stack.callback(processes.stop, provider)
        target = launch(
            "authserver",
            [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "--bind", f"127.0.0.1:{port}"],
            port=port, ready_path="/livez", environment=environment, database=database, database_url=url,
            directory=directory,
        )  # fmt: skip
        stack.callback(target.stop)
        yield Deployment(target, environment, secret, directory)


def _configuration(provider_port: int) -> str:
    def upstream(name: str) -> dict[str, Any]:
        at = f"http://localhost:{provider_port}"
        return {
            "name": name, "type": "oauth2", "client_id": "us", "client_secret": {"env": "BENCH_SECRET"},
            "authorization_endpoint": f"{at}/authorize", "token_endpoint": f"{at}/token", "scopes": ["repo"],
            "identity": {"subject": ["id"]}, "sign_in": name == "steady", "allow_private_network": True,
        }  # fmt: skip

    def resource(identifier: str, name: str) -> dict[str, Any]:
        needed = [{"name": name, "scopes": ["repo"], "required": True}]
        return {"identifier": identifier, "name": name, "scopes": {"mcp:tools": "use its tools"}, "upstreams": needed}

    document = {
        "upstreams": [upstream("steady"), upstream("due")],
        "resources": [resource(RESOURCE, "steady"), resource(DUE_RESOURCE, "due")],
        "resource_servers": [
            {
                "client_id": RESOURCE_SERVER,
                "client_secret": {"env": "BENCH_SECRET"},
                "resources": [RESOURCE, DUE_RESOURCE],
            }
        ],
        "clients": [{"client_id": CLIENT_ID, "name": "Bench", "redirect_uris": [REDIRECT_URI]}],
    }
    return json.dumps(document)  # which is YAML
