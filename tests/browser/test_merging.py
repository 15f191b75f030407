"""An operator merges two names of one app, writes down why, and takes one of them out again, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.inspection import inspect, watch
from tests.browser.test_console import signed_in
from tests.conftest import StartServer
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person

if TYPE_CHECKING:
    from playwright.sync_api import Page


def look(page: Page, complaints: list[str]) -> None:
    """Complaints first: axe reads the style sheets anew, imports of Django's forms too, and the policy refuses it that."""
    assert complaints == []
    assert inspect(page) == []
    complaints.clear()


def test_an_operator_merges_two_names_of_one_app_and_notes_why(page: Page, start_server: StartServer) -> None:
    server = start_server()
    for name in ("Claude Code", "Claude Code", "claude-code-cli"):
        client = OAuthClient.registered(server.issuer, client_name=name)
        flow = client.begin(resource=f"{server.issuer}/demo/mcp")
        client.finish(flow, Person().authorize(flow.url))
    page.emulate_media(reduced_motion="reduce")  # else colours are measured while they change
    complaints = watch(signed_in(page, server))
    page.goto(f"{server.issuer}/admin/authserver/app/?q=claude")
    for name in ("Claude Code", "claude-code-cli"):
        page.get_by_role("row", name=name).get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option(label="Merge selected apps")
    page.get_by_role("button", name="Go").click()
    page.get_by_role("radio", name="Claude Code").check()
    page.get_by_role("button", name="Show what would change").click()
    page.get_by_text("registrations 1, people 1, open token sessions 1").wait_for()
    page.get_by_text("No token session ends.").wait_for()
    look(page, complaints)
    page.get_by_label("Reason:").fill("one product")
    page.get_by_role("button", name="Merge").click()
    page.get_by_text("Merged 1 app into this one.").wait_for()
    page.get_by_label("New note:").fill("Their support says that both are theirs.")
    page.get_by_role("button", name="Add note").click()
    page.get_by_role("region", name="Notes").get_by_text("Their support says").wait_for()
    page.get_by_role("region", name="Newest registrations").get_by_role("listitem").nth(2).wait_for()
    look(page, complaints)
    page.get_by_role("link", name="Split out").click()
    page.get_by_text("becomes an app of its own again").wait_for()
    look(page, complaints)
    page.get_by_label("Reason:").fill("they are two after all")
    page.get_by_role("button", name="Split out").click()
    page.get_by_text("This app is one of its own again.").wait_for()
    assert page.get_by_role("link", name="Split out").count() == 0
    assert complaints == []
