"""IBM ContextForge gets a person's upstream token from us: its own code, of the release that is pinned here."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import oauth
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person
from tests.harness.server import Server
from tests.interop import environments

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent / "contextforge"
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def python() -> Path:
    return environments.installed("contextforge", HERE / "requirements.txt")


def tokens(server: Server, client: OAuthClient | None = None) -> dict[str, Any]:
    """What a client holds after Ada signed in for the demo's MCP server."""
    client = client or OAuthClient.registered(server.issuer)
    flow = client.begin(resource=f"{server.issuer}/demo/mcp")
    return client.finish(flow, Person().authorize(flow.url))


def call_a_tool(python: Path, directory: Path, server: Server, bearer: str, **settings: Any) -> dict[str, str]:
    """What ContextForge would send with a tool call, or what it tells its caller; `settings` are a gateway's."""
    asked = {
        "bearer": bearer,
        "oauth_config": {
            "grant_type": "token-exchange",
            "token_url": f"{server.issuer}/oauth/token",
            "client_id": "demo-mcp-server",
            "client_secret": server.secret("demo_resource_server_secret"),
            "target_audience": "demo",
            **settings,
        },
    }
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "DATABASE_URL": f"sqlite:///{directory / 'contextforge.db'}",
        "JWT_SECRET_KEY": secrets.token_urlsafe(48),
        "AUTH_ENCRYPTION_SECRET": secrets.token_urlsafe(48),
        "SSRF_ALLOW_LOCALHOST": "true",  # that is where we are, here
        "OAUTH_MAX_RETRIES": "1",  # it would wait between its attempts
    }
    done = subprocess.run(
        [python, HERE / "header_for_a_tool.py"], input=json.dumps(asked), env=environment, cwd=directory,
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize(
    "settings",
    [{}, {"scopes": ["demo:read"]}, {"target_audience": "{issuer}/demo/idp/api"}],
    ids=["as its defaults are", "with scopes", "by the API's address"],
)
def test_a_tool_call_carries_the_persons_own_upstream_token(
    python: Path, demo_server: Server, tmp_path: Path, settings: dict[str, Any]
) -> None:
    if "target_audience" in settings:
        settings = {"target_audience": settings["target_audience"].format(issuer=demo_server.issuer)}
    answer = call_a_tool(python, tmp_path, demo_server, tokens(demo_server)["access_token"], **settings)
    assert list(answer) == ["header"], answer
    person = httpx.get(f"{demo_server.issuer}/demo/idp/userinfo", headers={"Authorization": answer["header"]})
    assert (person.status_code, person.json()["name"].split()[0]) == (200, "Ada")


def test_a_client_that_is_gone_gives_it_nothing(python: Path, demo_server: Server, tmp_path: Path) -> None:
    redirect_uri = "http://127.0.0.1:7777/callback"
    registered = oauth.taken(oauth.register(demo_server.issuer, redirect_uris=[redirect_uri]))
    given = tokens(demo_server, OAuthClient(demo_server.issuer, registered["client_id"], redirect_uri))
    management = {"Authorization": f"Bearer {registered['registration_access_token']}"}
    assert httpx.delete(registered["registration_client_uri"], headers=management).status_code == 204
    answer = call_a_tool(python, tmp_path, demo_server, given["access_token"])
    assert answer == {"error": "Token exchange failed for gateway 'authserver'. Contact your administrator."}
