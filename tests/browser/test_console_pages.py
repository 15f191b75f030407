"""Every kind of page of the console in a real browser: readable by everybody, and true to the strict policy."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

from tests.browser.inspection import DESK, PHONE, Scheme, inspect_as, watch
from tests.browser.test_console import signed_in
from tests.conftest import StartServer
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_every_page_is_for_everybody(page: Page, start_server: StartServer) -> None:
    """Each list, the page of its first row, and what the buttons of both lead to."""
    server = start_server()
    client = OAuthClient.registered(server.issuer)
    flow = client.begin(resource=f"{server.issuer}/demo/mcp")
    client.finish(flow, Person().authorize(flow.url))
    page.emulate_media(reduced_motion="reduce")  # else colours are measured while they change
    complaints = watch(signed_in(page, server))
    wrong: list[str] = []

    def look(address: str, width: int, scheme: Scheme) -> None:
        page.goto(address)
        wrong.extend(f"{address}: {complaint}" for complaint in complaints)
        wrong.extend(f"{address}: {flaw}" for flaw in inspect_as(page, width, scheme))
        complaints.clear()  # axe copies elements whose style a script has set, which the policy takes for an inline style

    lists, rows, tools = addresses(page, "#content-main a[href]"), list[str](), list[str]()
    for each in lists:
        look(each, PHONE, "light")
        rows += addresses(page, "#result_list th a")[:1]
        tools += addresses(page, ".object-tools a")
    for each in dict.fromkeys(rows):
        look(each, DESK, "dark")
        tools += addresses(page, ".object-tools a")
    tools = [
        each for each in dict.fromkeys(tools) if each not in lists and "/history/" not in each
    ]  # Django's, all the same
    for each in tools:
        look(each, DESK, "dark")
    assert (len(lists) > 20, len(rows) > 10, len(tools) > 10) == (True, True, True)
    assert wrong == []


def addresses(page: Page, selector: str) -> list[str]:
    """Each once, in the page's order."""
    hrefs: list[str] = page.locator(selector).evaluate_all("links => links.map(link => link.getAttribute('href'))")
    return list(dict.fromkeys(urljoin(page.url, href) for href in hrefs))
