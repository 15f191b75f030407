"""A night's work in a real browser: find a session by its address, read what it reaches, end it, keep the receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.inspection import inspect, watch
from tests.browser.test_console import signed_in
from tests.conftest import StartServer
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_an_operator_finds_a_session_by_its_address_reads_its_story_and_ends_it(
    page: Page, start_server: StartServer
) -> None:
    server = start_server()
    client = OAuthClient.registered(server.issuer)
    flow = client.begin(resource=f"{server.issuer}/demo/mcp")
    tokens = client.finish(flow, Person().authorize(flow.url))
    signed_in(page, server)
    complaints = watch(page)
    page.emulate_media(reduced_motion="reduce")  # else colours are measured while they change

    page.goto(f"{server.issuer}/admin/accounts/tokensession/")
    page.get_by_label("Search: tsid, address, person, client, app or resource:").fill("127.0.0.1")
    page.get_by_role("button", name="Filter").click()
    page.get_by_text("Found as an address.").wait_for()
    assert inspect(page) == []
    page.locator("#result_list tbody th a").click()

    page.get_by_role("heading", name="Who, and from where").wait_for()
    assert inspect(page) == []
    reached = page.locator("section", has=page.get_by_role("heading", name="Upstreams", exact=True))
    assert ": live" in reached.inner_text()
    assert (
        "A person let an app in" in page.locator("section", has=page.get_by_role("heading", name="Lately")).inner_text()
    )
    consent = page.locator("section", has=page.get_by_role("heading", name="Consent given")).inner_text()
    assert "127.0.0.1" in consent

    page.get_by_role("link", name="Revoke", exact=True).click()
    page.get_by_label("Reason:").fill("laptop stolen")
    assert inspect(page) == []
    page.get_by_role("button", name="Revoke").click()
    page.get_by_text("Revoked 1 token session.").wait_for()
    page.get_by_role("heading", name="Receipt").wait_for()
    assert page.get_by_text("laptop stolen").count() > 0
    assert inspect(page) == []
    refused = client.token({"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert complaints == []


def test_everything_of_an_upstream_is_revoked_from_its_own_page(page: Page, start_server: StartServer) -> None:
    server = start_server()
    client = OAuthClient.registered(server.issuer)
    flow = client.begin(resource=f"{server.issuer}/demo/mcp")
    tokens = client.finish(flow, Person().authorize(flow.url))
    signed_in(page, server)
    complaints = watch(page)
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{server.issuer}/admin/upstream/provider/")
    page.locator("#result_list tbody th a").first.click()
    page.get_by_role("link", name="Revoke everything").click()
    page.get_by_text("1 token session ends.").wait_for()
    assert inspect(page) == []
    page.get_by_label("Reason:").fill("its secret leaked")
    page.get_by_role("button", name="Revoke everything").click()
    page.get_by_text("Revoked 1 token session.").wait_for()
    refused = client.token({"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})
    assert refused.json()["error"] == "invalid_grant"
    assert complaints == []
