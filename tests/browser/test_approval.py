"""An app that waits for an operator: the person in one tab, the operator in another, and the tab that goes on by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.inspection import watch
from tests.browser.test_console import signed_in
from tests.conftest import StartServer
from tests.harness.oauth import OAuthClient
from tests.harness.server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RESOURCE = "https://careful.example/mcp"
CONFIGURATION = f"""
resources:
  - identifier: {RESOURCE}
    name: Careful MCP server
    scopes: {{"careful:use": use its tools}}
    registration: {{mode: approval}}
"""


@pytest.fixture(scope="module")
def careful(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server with a resource that only approved apps may reach."""
    server, file = start_server(), tmp_path_factory.mktemp("careful") / "resources.yaml"
    file.write_text(CONFIGURATION)
    applied = server.manage("apply_config", str(file))
    assert applied.returncode == 0, applied.stdout + applied.stderr
    return server


@pytest.fixture
def operator(browser: Browser, careful: Server) -> Page:
    """The queue of apps that somebody waits for, as the administrator sees it, in a browser of their own."""
    return signed_in(browser.new_context().new_page(), careful, "/admin/authserver/app/?queue=asked")


def knock(page: Page, careful: Server, name: str) -> str:
    """A new app sends its person; the address that it sends them to."""
    url = OAuthClient.registered(careful.issuer, client_name=name).begin(resource=RESOURCE).url
    page.goto(url)
    return url


def ask(page: Page, note: str) -> None:
    page.get_by_label("A note for them").fill(note)
    page.get_by_role("button", name="Ask for approval").click()
    page.wait_for_url("**/oauth/authorize/approval/*")


def decide(operator: Page, name: str, action: str) -> None:
    operator.reload()
    operator.get_by_role("row", name=re.compile(name)).get_by_role("checkbox").check()
    operator.get_by_label("Action:").select_option(label=action)
    operator.get_by_role("button", name="Go").click()


def test_the_tab_goes_on_to_consent_as_soon_as_the_operator_approves(
    page: Page, operator: Page, careful: Server
) -> None:
    knock(page, careful, "Research agent")
    complaints = watch(page)  # from here on: a browser also complains of a page that is a 403
    ask(page, "I am Ada of the data team.")
    assert page.get_by_role("status").inner_text().startswith("Nobody has decided yet")
    operator.reload()
    operator.get_by_role("link", name="Research agent").click()
    operator.get_by_text("I am Ada of the data team.").wait_for()
    operator.go_back()
    decide(operator, "Research agent", "Approve selected apps")
    page.get_by_role("button", name="Deny").wait_for(timeout=30_000)
    assert "“Research agent” wants to use Careful MCP server as you" in page.inner_text("h1")
    assert complaints == []


def test_a_refusal_reaches_the_tab_too(page: Page, operator: Page, careful: Server) -> None:
    knock(page, careful, "Phishing agent")
    ask(page, "")
    decide(operator, "Phishing agent", "Block selected apps, and end their sessions")
    operator.get_by_label("Reason:").fill("nobody knows it")
    operator.get_by_role("button", name="Block").click()
    page.get_by_role("heading", name="This app is not let in here").wait_for(timeout=30_000)
    assert page.locator("main a").count() == 0


def test_without_scripts_a_link_looks_again(browser: Browser, operator: Page, careful: Server) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    knock(page, careful, "Plain agent")
    ask(page, "no scripts here")
    page.get_by_role("link", name="Look again now").click()
    assert page.get_by_text("Nobody has decided yet").is_visible()
    decide(operator, "Plain agent", "Approve selected apps")
    page.get_by_role("link", name="Look again now").click()
    assert page.get_by_role("button", name="Deny").is_visible()
    context.close()


def test_the_keyboard_alone_asks(page: Page, careful: Server) -> None:
    knock(page, careful, "Keyboard agent")
    page.keyboard.press("Tab")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/oauth/authorize/approval/*")
    assert page.get_by_text("by keyboard").is_visible()
