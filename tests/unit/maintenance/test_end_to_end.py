"""From a sign-in at the demo provider to a refresh token that it no longer honours, over HTTP and `./dev manage`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.oauth import OAuthClient, claims, exchange, register, taken
from tests.harness.person import Person
from tests.harness.server import ROOT, Server

pytestmark = pytest.mark.postgres

OPENED = """
from django.utils import timezone
from accounts.vault import vault
print(vault().credentials.tokens({tsid!r}, "demo", now=timezone.now()).tokens.refresh_token)
"""


@pytest.fixture(scope="module")
def server(start_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The demo, whose provider is to be told."""
    server: Server = start_server()
    file: Path = tmp_path_factory.mktemp("configuration") / "demo.yaml"
    demo = (ROOT / "upstream" / "demo" / "config.yaml").read_text()
    file.write_text(demo.replace("sign_in: true", "sign_in: true\n    on_session_end: revoke_when_unused"))
    applied = server.manage("apply_config", str(file))
    assert "demo" in applied.stdout, applied.stdout + applied.stderr
    return server


class Approved:
    """A client, registered with one person's approval, and what the provider gave for it."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        callback = "http://127.0.0.1:7777/callback"
        self.registration = taken(register(server.issuer, client_name=name, redirect_uris=[callback]))
        client = OAuthClient(server.issuer, self.registration["client_id"], callback)
        flow = client.begin(resource=f"{server.issuer}/demo/mcp")
        tokens = client.finish(flow, Person(name).authorize(flow.url))
        secret = server.secret("demo_resource_server_secret")
        given = exchange(
            server.issuer, tokens["access_token"], server="demo-mcp-server", secret=secret, audience="demo"
        )
        self.access_token = taken(given)["access_token"]
        opened = server.manage(
            "shell", "--no-imports", "-c", OPENED.format(tsid=claims(tokens["access_token"])["tsid"])
        )
        self.refresh_token = opened.stdout.strip()

    def leave(self) -> None:
        """Delete the registration (RFC 7592): it ends the client's sessions."""
        bearer = {"Authorization": f"Bearer {self.registration['registration_access_token']}"}
        assert httpx.delete(self.registration["registration_client_uri"], headers=bearer).status_code == 204

    def userinfo(self) -> int:
        bearer = {"Authorization": f"Bearer {self.access_token}"}
        return httpx.get(f"{self.server.issuer}/demo/idp/userinfo", headers=bearer).status_code

    def refresh(self) -> httpx.Response:
        return httpx.post(
            f"{self.server.issuer}/demo/idp/token",
            data={"grant_type": "refresh_token", "refresh_token": self.refresh_token},
            auth=("authserver-demo", self.server.secret("demo_client_secret")),
        )


def test_the_demo_provider_no_longer_honours_what_an_ended_session_held(server: Server) -> None:
    leaves, stays = Approved(server, "Ada"), Approved(server, "Grace")
    assert leaves.userinfo() == stays.userinfo() == 200
    leaves.leave()
    assert leaves.userinfo() == 200  # until it is told
    done = server.manage("maintenance")
    assert done.returncode == 0, done.stderr
    assert "revocations at providers: 1 done" in done.stdout
    assert (leaves.userinfo(), stays.userinfo()) == (401, 200)
    refused = leaves.refresh()
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert stays.refresh().status_code == 200
    again = server.manage("maintenance")
    assert "revocations at providers: nothing to do" in again.stdout
    for secret in (leaves.access_token, leaves.refresh_token):
        assert secret not in server.log + done.stdout + done.stderr
