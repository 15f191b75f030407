"""FastMCP's client, as people use it: `Client(url, auth=OAuth(...))`, a browser, a callback server on a loopback port."""

from __future__ import annotations

import asyncio
import threading
import time
import webbrowser
from collections.abc import Iterator
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.auth import OAuth
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from tests.harness import oauth, processes
from tests.harness.person import Person
from tests.harness.server import Server
from tests.interop.conftest import Deployment

pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore:Using in-memory token storage:UserWarning"),  # it is all that a test needs
]

PATIENCE_SECONDS = 20.0


class Desktop:
    """What `webbrowser.open` reaches: a person who walks through the pages and lands on the client's callback server."""

    def __init__(self) -> None:
        self.person = Person("Ada")
        self.opened: list[str] = []
        self._walks: list[threading.Thread] = []

    def open(self, url: str) -> bool:
        self.opened.append(url)
        walk = threading.Thread(target=self.person.return_to_client, args=(url,))
        self._walks.append(walk)
        walk.start()
        return True

    def close(self) -> None:
        for walk in self._walks:
            walk.join(PATIENCE_SECONDS)


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    desktop = Desktop()
    monkeypatch.setattr(webbrowser, "open", desktop.open)
    yield desktop
    desktop.close()


def sign_in(deployment: Deployment, port: int | None = None) -> OAuth:
    return OAuth(deployment.mcp.url, callback_port=port)


async def whoami(client: Client[Any]) -> dict[str, Any]:
    """Who the upstream says it is; without the seconds its token still lives, which pass between two calls."""
    identity = (await client.call_tool("whoami")).structured_content
    assert identity is not None
    return {name: value for name, value in identity.items() if name != "token_expires_in"}


def tokens(auth: OAuth) -> OAuthToken:
    assert auth.context.current_tokens is not None
    return auth.context.current_tokens


def registration(auth: OAuth) -> OAuthClientInformationFull:
    assert auth.context.client_info is not None
    return auth.context.client_info


def test_fastmcp_signs_in_calls_a_tool_refreshes_and_calls_again(deployment: Deployment, desktop: Desktop) -> None:
    auth = sign_in(deployment)

    async def session() -> tuple[dict[str, Any], OAuthToken, dict[str, Any]]:
        async with Client(deployment.mcp.url, auth=auth) as client:
            first, before = await whoami(client), tokens(auth)
            auth.context.token_expiry_time = time.time() - 1
            return first, before, await whoami(client)

    first, before, second = asyncio.run(session())
    after = tokens(auth)

    assert first["name"] == "Ada Lovelace"
    assert second == first
    assert len(desktop.opened) == 1, "the refresh asked nobody"
    assert before.access_token != after.access_token
    assert before.refresh_token != after.refresh_token
    assert oauth.claims(before.access_token)["tsid"] == oauth.claims(after.access_token)["tsid"]


def test_a_client_that_comes_back_on_another_port_keeps_its_registration(
    deployment: Deployment, desktop: Desktop
) -> None:
    """The port is chosen anew at every start, and the registration kept on disk names the old one (RFC 8252 s7.3)."""
    first = sign_in(deployment, processes.free_port())
    again = sign_in(deployment, processes.free_port())

    async def two_starts() -> dict[str, Any]:
        async with Client(deployment.mcp.url, auth=first) as client:
            await whoami(client)
        await again.token_storage_adapter.set_client_info(registration(first))
        async with Client(deployment.mcp.url, auth=again) as client:
            return await whoami(client)

    assert asyncio.run(two_starts())["name"] == "Ada Lovelace"
    assert first.redirect_port != again.redirect_port
    assert registration(first).client_id == registration(again).client_id
    assert len(desktop.opened) == 2


def test_a_client_whose_registration_is_gone_registers_again_before_a_browser_opens(
    deployment: Deployment, desktop: Desktop
) -> None:
    """FastMCP asks for the authorization URL without cookies first, and takes exactly 400 as the sign."""
    auth = sign_in(deployment)
    gone = OAuthClientInformationFull(client_id="gone", redirect_uris=auth.context.client_metadata.redirect_uris)

    async def session() -> dict[str, Any]:
        await auth.token_storage_adapter.set_client_info(gone)
        async with Client(deployment.mcp.url, auth=auth) as client:
            return await whoami(client)

    assert asyncio.run(session())["name"] == "Ada Lovelace"
    assert registration(auth).client_id != "gone"
    assert len(desktop.opened) == 1


def test_a_person_who_denies_is_heard(deployment: Deployment, desktop: Desktop) -> None:
    desktop.person = Person(decision="deny")
    auth = sign_in(deployment)

    async def session() -> None:
        async with Client(deployment.mcp.url, auth=auth) as client:
            await whoami(client)

    with pytest.raises(RuntimeError, match="Access was denied by the authorization server"):
        asyncio.run(session())
    assert auth.context.current_tokens is None


def test_the_demo_mcp_server_is_a_real_one(demo_server: Server, desktop: Desktop) -> None:
    """It stands on the page `/demo/`, which tells people to connect their own client to it."""
    url = f"{demo_server.issuer}/demo/mcp"

    async def session() -> tuple[list[str], dict[str, Any]]:
        async with Client(url, auth=OAuth(url)) as client:
            return [tool.name for tool in await client.list_tools()], await whoami(client)

    tools, identity = asyncio.run(session())
    assert tools == ["whoami"]
    assert identity["name"] == "Ada Lovelace"
    assert len(desktop.opened) == 1
