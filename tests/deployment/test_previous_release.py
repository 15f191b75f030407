"""The release before serves while this one's tables are there already, and the two serve side by side.

`previous-release` beside this file names its tag. Until there is one, the commit that is checked out stands in for it (or
the tree itself, where it is no checkout), so that the test itself is tested.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer
from tests.harness import oauth, postgres
from tests.harness.demo import exchange_form
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person
from tests.harness.server import ROOT, Server
from tests.interop import environments

NAMED = Path(__file__).with_name("previous-release")


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Its tree, and an interpreter with what it needs, as `start_server` takes them."""
    if not NAMED.exists() and not (ROOT / ".git").exists():
        return {"root": ROOT}
    tag = NAMED.read_text().strip() if NAMED.exists() else "HEAD"
    root = tmp_path_factory.mktemp("previous")
    git = ("git", "-c", f"safe.directory={ROOT}")  # whoever owns the checkout
    archive = subprocess.run([*git, "archive", tag], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(root, filter="data")
    if not NAMED.exists():
        return {"root": root}
    return {"root": root, "python": environments.installed("previous", root / "requirements.txt")}


def main_flow(server: Server) -> tuple[OAuthClient, dict[str, Any]]:
    """Register, authorize, token, and the MCP server's exchange."""
    client = OAuthClient.registered(server.issuer)
    flow = client.begin(resource=f"{server.issuer}/demo/mcp")
    tokens = client.finish(flow, Person().authorize(flow.url))
    exchange(server, tokens)
    return client, tokens


def exchange(server: Server, tokens: dict[str, Any]) -> None:
    form = exchange_form(server, tokens["access_token"])
    assert oauth.taken(httpx.post(f"{server.url}/oauth/token", data=form))["access_token"]


def refresh(server: Server, client: OAuthClient, tokens: dict[str, Any]) -> dict[str, Any]:
    """At this process, whoever issued the token."""
    form = {"grant_type": "refresh_token", "client_id": client.client_id, "refresh_token": tokens["refresh_token"]}
    return oauth.taken(httpx.post(f"{server.url}/oauth/token", data=form))


def test_it_serves_with_the_new_tables_and_beside_the_new_release(
    previous: dict[str, Any], postgres_url: str, start_server: StartServer
) -> None:
    with postgres.database(postgres_url) as url:
        old = start_server(AUTHSERVER_DATABASE_URL=url, **previous)
        client, tokens = main_flow(old)
        new = start_server(data_dir=old.data_dir, issuer=old.issuer, AUTHSERVER_DATABASE_URL=url)  # migrates first

        main_flow(old)
        for server in (new, old, new):
            tokens = refresh(server, client, tokens)
            exchange(server, tokens)
        maintained = old.manage("maintenance")
        assert maintained.returncode == 0, maintained.stderr
        assert httpx.get(f"{old.url}/readyz").status_code == 200
        assert httpx.get(f"{old.url}/admin/login/").status_code == 200
        ended = httpx.post(
            f"{old.url}/oauth/revoke", data={"client_id": client.client_id, "token": tokens["refresh_token"]}
        )
        assert ended.status_code == 200
        over = httpx.post(f"{new.url}/oauth/token", data=exchange_form(new, tokens["access_token"]))
        assert (over.status_code, over.json()["error"]) == (400, "invalid_request"), (
            "the token is no subject token any more"
        )
        for server in (old, new):
            assert server.stop() == 0
            assert "Traceback" not in server.log
