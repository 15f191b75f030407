"""django-oauth-toolkit as a careful operator runs it: gunicorn as for us, the same pool, its own models and views.

Tuned: no middleware that it does not need, kept connections, prepared statements, one worker a core. Its password hasher is
Django's default, which it asks for every secret that it makes or checks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.deployment import run
from bench.peers.flow import Endpoints, Peer
from bench.target import Database, launch
from tests.harness import postgres, processes

REDIRECT_URI = "https://client.example.com/callback"


@contextmanager
def deployed(database: Database, directory: Path) -> Iterator[Peer]:
    port = processes.free_port()
    with postgres.database(database.url) as url:
        environment = {"DJANGO_SETTINGS_MODULE": "bench.peers.dot.settings", "BENCH_DATABASE_URL": url,
                       "BENCH_ISSUER": f"http://localhost:{port}"}  # fmt: skip
        run(environment, "-m", "django", "migrate", "--verbosity=0")
        seeded = json.loads(run(environment, "-m", "bench.peers.dot.seeding"))
        command = [
            sys.executable, "-m", "gunicorn", "--workers=2", "--threads=4", "--worker-class=gthread", "--preload",
            "--keep-alive=60", f"--bind=127.0.0.1:{port}", "bench.peers.dot.wsgi:application",
        ]  # fmt: skip
        endpoints = Endpoints("/o/.well-known/oauth-authorization-server", "/o/.well-known/jwks.json", "/o/register/",
                              "/o/authorize/", "/o/token/", "/o/introspect/", "/o/revoke_token/")  # fmt: skip
        target = launch(
            "django-oauth-toolkit", command, port=port, ready_path=endpoints.jwks, environment=environment,
            database=database, database_url=url, directory=directory,
        )  # fmt: skip
        try:
            yield Peer(
                target, endpoints, seeded["client_id"], REDIRECT_URI, seeded["cookies"], tuple(seeded["introspector"]),
                fewer=10,
            )  # fmt: skip
        finally:
            target.stop()
