"""The operators' console in a real browser: it works under the strict policy, and Revoke ends what a client holds."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.inspection import inspect, watch
from tests.conftest import StartServer
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person
from tests.harness.server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def console(page: Page, demo_server: Server) -> Page:
    """The console's first page, signed in as the administrator that the first start made and printed."""
    return signed_in(page, demo_server)


def signed_in(page: Page, server: Server, path: str = "/admin/") -> Page:
    password = re.search(r"password  (\S+)", server.log)
    assert password, server.log
    page.goto(f"{server.issuer}{path}")
    page.get_by_label("Username:").fill("admin")
    page.get_by_label("Password:").fill(password[1])
    page.get_by_role("button", name="Log in").click()
    page.locator("#user-tools").wait_for()  # the click does not wait for the page that it leads to
    page.wait_for_load_state()
    return page


def test_no_page_of_the_console_breaks_the_content_security_policy(console: Page, demo_server: Server) -> None:
    complaints = watch(console)
    links = console.locator("#content-main a[href]")
    addresses = {str(link.get_attribute("href")) for link in links.all()}
    assert len(addresses) > 20
    for address in sorted(addresses):
        console.goto(f"{demo_server.issuer}{address}")
        assert console.locator("#content").count() == 1, address
    assert complaints == []


def test_a_form_that_needs_a_script_has_it(console: Page, demo_server: Server) -> None:
    console.goto(f"{demo_server.issuer}/admin/authserver/resourceserver/add/")
    console.locator("#id_resources_from option").first.wait_for(state="attached")
    console.get_by_text("Choose all").click()
    assert console.locator("#id_resources_to option").count() == 2


def test_an_operator_revokes_a_session_and_its_client_is_out(console: Page, demo_server: Server) -> None:
    client = OAuthClient.registered(demo_server.issuer)
    flow = client.begin(resource=f"{demo_server.issuer}/demo/mcp")
    tokens = client.finish(flow, Person().authorize(flow.url))
    console.goto(f"{demo_server.issuer}/admin/accounts/tokensession/?q={client.client_id}")
    console.locator("#result_list tbody th a").click()
    console.get_by_role("link", name="Revoke").click()
    console.get_by_label("Reason:").fill("laptop stolen")
    console.get_by_role("button", name="Revoke").click()
    console.get_by_text("Revoked 1 token session.").wait_for()
    refused = client.token({"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def test_the_page_that_enrols_an_authenticator_draws_its_code_under_the_policy(
    console: Page, demo_server: Server
) -> None:
    complaints = watch(console)
    console.get_by_role("link", name="Second factor").click()
    drawn = console.get_by_role("img", name="QR code for your authenticator app")
    assert (drawn.bounding_box() or {"width": 0})["width"] > 100
    console.get_by_label("Code:").fill("000000")
    console.get_by_role("button", name="Confirm").click()
    console.get_by_role("alert").wait_for()
    assert complaints == []


def test_an_operator_tests_the_connection_to_a_provider(console: Page, demo_server: Server) -> None:
    complaints = watch(console)
    console.emulate_media(reduced_motion="reduce")  # else colours are measured while they change
    console.goto(f"{demo_server.issuer}/admin/upstream/provider/")
    console.locator("#result_list tbody th a").first.click()
    console.get_by_text(f"{demo_server.issuer}/oauth/callback/demo").wait_for()
    console.get_by_role("link", name="Test connection").click()
    console.get_by_role("button", name="Test now").click()
    console.get_by_role("status").wait_for()
    console.get_by_text("Its documents, keys and endpoints answer.").wait_for()
    assert inspect(console) == []
    assert complaints == []


def test_a_developer_copies_how_to_connect(console: Page, demo_server: Server) -> None:
    complaints = watch(console)
    console.emulate_media(reduced_motion="reduce")
    console.goto(f"{demo_server.issuer}/admin/authserver/resource/")
    console.locator("#result_list tbody th a").first.click()
    console.get_by_role("link", name="How to connect").click()
    assert f'"{demo_server.issuer}"' in console.get_by_role("region", name="FastMCP").inner_text()
    assert inspect(console) == []
    assert complaints == []


def test_an_operator_turns_a_signing_key_over(page: Page, start_server: StartServer) -> None:
    server = start_server()  # of their own: what signs is everybody's
    complaints = watch(signed_in(page, server))
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{server.issuer}/admin/authserver/signingkey/")
    assert page.locator("#result_list tbody tr").count() == 1
    assert inspect(page) == []
    page.get_by_role("link", name="Rotate").click()
    page.get_by_role("button", name="Rotate").wait_for()
    assert inspect(page) == []
    page.get_by_role("button", name="Rotate").click()
    page.get_by_text("is published. It takes over in").wait_for()
    assert page.locator("#result_list tbody tr").count() == 2
    published = page.request.get(f"{server.issuer}/.well-known/jwks.json").json()["keys"]
    assert len(published) == 2
    assert complaints == []


def test_an_operator_exports_what_the_trail_says_of_one_event(console: Page, demo_server: Server) -> None:
    complaints = watch(console)
    console.emulate_media(reduced_motion="reduce")
    console.goto(f"{demo_server.issuer}/admin/accounts/auditevent/?event=console.login")
    assert inspect(console) == []
    with console.expect_download() as download:
        console.get_by_role("button", name="Export as CSV").click()
    with Path(download.value.path()).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert re.fullmatch(r"audit-\d{8}T\d{6}Z\.csv", download.value.suggested_filename)
    assert {(row["event"], row["actor"], row["reason"]) for row in rows} == {("console.login", "admin", "password")}
    console.goto(f"{demo_server.issuer}/admin/accounts/auditevent/?event=audit.exported")
    console.locator("#result_list").get_by_text("The audit trail was exported").wait_for()
    assert complaints == []
