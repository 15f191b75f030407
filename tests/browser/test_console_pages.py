"""Every kind of page of the console in a real browser: readable by everybody, and true to the strict policy."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

from tests.browser.inspection import DESK, PHONE, inspect_as, watch
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
    lists = addresses(page, "#content-main a[href]")
    rows = [one for each in lists if page.goto(each) for one in addresses(page, "#result_list th a")[:1]]
    tools = [one for each in [*lists, *rows] if page.goto(each) for one in addresses(page, ".object-tools a")]
    tools = [address for address in set(tools) if "/history/" not in address]  # Django's, and all the same
    assert (len(lists) > 20, len(rows) > 10, len(tools) > 10) == (True, True, True)
    wrong = []
    for address in [*lists, *rows, *tools]:
        page.goto(address)
        wrong += [f"{address}: {complaint}" for complaint in complaints]
        flaws = inspect_as(page, PHONE, "light") if address in lists else inspect_as(page, DESK, "dark")
        wrong += [f"{address}: {flaw}" for flaw in flaws]
        complaints.clear()  # axe copies elements whose style a script has set, which the policy takes for an inline style
    assert wrong == []


def addresses(page: Page, selector: str) -> list[str]:
    return [urljoin(page.url, str(link.get_attribute("href"))) for link in page.locator(selector).all()]
