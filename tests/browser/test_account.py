"""`/account/` in a real browser: sign in, see what has access, end it, and the client is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.inspection import inspect, watch
from tests.conftest import StartServer
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person

if TYPE_CHECKING:
    from playwright.sync_api import Page

WHO = "Grace"
NAME = "An app of the account page"


def test_a_person_signs_in_sees_what_has_access_and_ends_it(page: Page, start_server: StartServer) -> None:
    server = start_server()  # of their own: what else they let in would be on the pages
    client = OAuthClient.registered(server.issuer, client_name=NAME)
    flow = client.begin(resource=f"{server.issuer}/demo/mcp")
    tokens = client.finish(flow, Person(WHO).authorize(flow.url))
    complaints = watch(page)

    page.goto(server.issuer)
    page.get_by_role("link", name="See and end what has access").click()
    assert inspect(page) == []
    page.get_by_role("button", name="Sign in with Demo identity provider").click()
    page.get_by_role("button", name=WHO).click()
    page.wait_for_url("**/account/")
    assert f"“{NAME}” through Demo MCP server" in words(page)
    assert f"You let “{NAME}” use Demo MCP server." in words(page)
    assert inspect(page) == []

    page.get_by_role("button", name="Connect Demo identity provider again").click()
    page.get_by_role("button", name=WHO).click()
    page.get_by_role("heading", name="Demo identity provider is connected").wait_for()
    page.get_by_role("link", name="To your page").click()

    page.get_by_role("link", name="Disconnect Demo identity provider").click()
    assert "because its server needs this connection" in words(page)
    assert inspect(page) == []
    page.get_by_role("button", name="Disconnect Demo identity provider").click()
    page.get_by_role("heading", name="That is done").wait_for()
    assert "You disconnected Demo identity provider." in words(page)
    page.get_by_role("link", name="Back to your page").click()
    assert "Nothing is connected." in words(page)
    assert "No app has access." in words(page)
    refused = client.token({"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")

    page.get_by_role("link", name="Everything that happened").click()
    assert "You connected Demo identity provider." in words(page)
    page.get_by_role("link", name="Back to your page").click()
    page.get_by_role("link", name="Sign out here or everywhere").click()
    page.get_by_role("button", name="Sign out in every browser").click()
    page.get_by_role("heading", name="You are signed out").wait_for()
    assert complaints == []


def words(page: Page) -> str:
    """What is read, without the marks that keep a name's direction to itself."""
    return page.inner_text("main").replace("\u2068", "").replace("\u2069", "")
