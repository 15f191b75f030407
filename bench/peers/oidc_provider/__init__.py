"""oidc-provider of npm as a careful operator runs it: two workers, a pool in each, everything in one table of PostgreSQL.

Tuned: Node in production mode, kept connections, prepared statements, and accounts known without asking the database, which
favours it. Its clients have registered themselves, and so are read from the table. Access tokens are JWTs signed with ES256,
refresh tokens rotate, PKCE is required, cookies are signed. It does not store a JWT and so introspects none: what is
introspected is an opaque token, for a second resource that has such tokens.

Its revocation takes the consent with the tokens, so that each token to be revoked is from a browser of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.operations import REGISTRATION
from bench.peers.flow import Endpoints, Peer, Unavailable, authorization
from bench.target import Database, launch
from tests.harness import postgres, processes
from tests.interop import npm

HERE = Path(__file__).parent
REDIRECT_URI = "https://client.example.com/callback"
RESOURCE, INTROSPECTED_RESOURCE = "https://mcp.example.com/mcp", "https://introspected.example.com/mcp"
ENDPOINTS = Endpoints("/.well-known/oauth-authorization-server", "/jwks", "/reg", "/auth", "/token",
                      "/token/introspection", "/token/revocation")  # fmt: skip
PEOPLE = 50
WARM_UP = 400
"""Of each operation (of the cheap ones more), before any is measured: Node's compiler first looks on for a while."""


@contextmanager
def deployed(database: Database, directory: Path) -> Iterator[Peer]:
    """Raises `Unavailable` where npm has not installed it and cannot."""
    command = _command(directory / "oidc_provider")
    port = processes.free_port()
    with postgres.database(database.url) as url:
        environment = {"BENCH_PORT": str(port), "BENCH_DATABASE_URL": url, "NODE_ENV": "production"}
        target = launch(
            "oidc-provider", command, port=port, ready_path=ENDPOINTS.jwks, environment=environment, database=database,
            database_url=url, directory=directory,
        )  # fmt: skip
        try:
            with httpx.Client(base_url=target.url) as http:
                client = _registered(http, {**REGISTRATION, "redirect_uris": [REDIRECT_URI]})
                introspector = _registered(
                    http,
                    {"client_name": "Resource server", "redirect_uris": [], "response_types": [], "grant_types": []},
                )

                def sign_in() -> str:
                    return _sign_in(http, client["client_id"])

                peer = Peer(
                    target, ENDPOINTS, client["client_id"], REDIRECT_URI, [sign_in() for _ in range(PEOPLE)],
                    (introspector["client_id"], introspector["client_secret"]), authorize_status=303, resource=RESOURCE,
                    introspected_resource=INTROSPECTED_RESOURCE, sign_in=sign_in,
                )  # fmt: skip
                peer.warm_up(WARM_UP)
                yield peer
        finally:
            target.stop()


def _command(home: Path) -> list[str]:
    """The scripts stand beside the packages, where their imports are looked up."""
    try:
        packages = npm.installed(HERE)
    except (pytest.skip.Exception, pytest.fail.Exception) as reason:
        raise Unavailable(f"oidc-provider is left out: {reason}") from None
    home.mkdir()
    for script in HERE.glob("*.mjs"):
        shutil.copy(script, home)
    (home / "node_modules").symlink_to(packages.modules)
    return packages.command(home / "server.mjs")


def _registered(http: httpx.Client, document: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = http.post(ENDPOINTS.register, json=document).raise_for_status().json()
    return answer


def _sign_in(http: httpx.Client, client_id: str) -> str:
    """Somebody new, all the way from the client to the interaction and back: the cookies of a browser after that."""
    http.cookies.clear()
    location = f"{ENDPOINTS.authorize}?{httpx.QueryParams(authorization(client_id, REDIRECT_URI, 'read', RESOURCE))}"
    while not location.startswith(REDIRECT_URI):
        location = http.get(location).headers["Location"]
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in http.cookies.jar if cookie.path == "/")
