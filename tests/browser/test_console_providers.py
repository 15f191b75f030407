"""A provider from the choice of its type to a tested sign-in, in a real browser under the strict policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.inspection import inspect, watch
from tests.browser.test_console import signed_in
from tests.conftest import StartServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

SECRET = """
from django.conf import settings
print(settings.DEMO_UPSTREAM_CLIENT_SECRET)
"""


def look(page: Page, complaints: list[str]) -> None:
    """At what the browser and axe say. axe loads the admin's style sheets anew, which the policy forbids: not our page."""
    assert complaints == []
    assert inspect(page) == []
    complaints.clear()


def test_an_operator_adds_a_provider_and_tests_it_before_switching_it_on(page: Page, start_server: StartServer) -> None:
    server = start_server()
    page.emulate_media(reduced_motion="reduce")  # else colours are measured while they change
    complaints = watch(signed_in(page, server))
    page.goto(f"{server.issuer}/admin/upstream/provider/add/")
    page.get_by_role("link", name="OpenID Connect").wait_for()
    look(page, complaints)

    page.get_by_role("link", name="OpenID Connect").click()
    page.get_by_label("Name:", exact=True).fill("second")
    page.get_by_label("Issuer:").fill(f"{server.issuer}/demo/idp")
    page.get_by_label("Client id:").fill("authserver-demo")
    secret = server.manage("shell", "-v", "0", "-c", SECRET).stdout.strip().splitlines()[-1]
    page.get_by_label("Client secret:").fill(secret)
    page.get_by_label("Scopes:").fill('["openid", "profile", "email", "offline_access"]')
    page.get_by_text("More", exact=True).click()
    shared = f'{{"redirect_uri": "{server.issuer}/oauth/callback"}}'  # the one that the demo provider has registered
    page.get_by_label("Authorization params:").fill(shared)
    page.get_by_label("Allow private network").check()
    look(page, complaints)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("was added. Register its callback").wait_for()
    page.get_by_text("It is switched off: nobody is sent there.").wait_for()
    page.get_by_text("Typed into the console.").wait_for()
    assert secret not in page.content()
    look(page, complaints)

    page.get_by_role("link", name="Test connection").click()
    page.get_by_role("button", name="Test now").click()
    page.get_by_text("Its documents, keys and endpoints answer.").wait_for()
    page.go_back()
    page.go_back()

    before = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Test sign-in").click()
    tab = opened.value
    complaints_of_tab = watch(tab)
    tab.emulate_media(reduced_motion="reduce")
    tab.get_by_role("button", name="Ada").first.click()
    tab.get_by_role("heading", name="What the provider says of the person").wait_for()
    assert tab.evaluate("window.opener") is None
    tab.get_by_text("The provider signed somebody in, and its answer is good.").wait_for()
    look(tab, complaints_of_tab)
    after = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    assert before.items() <= after.items()  # the console's session is the one it was
    tab.reload()
    tab.get_by_text("This test is over").wait_for()
    tab.close()
    page.reload()
    page.get_by_role("button", name="Test sign-in").wait_for()
    assert complaints == []
    assert complaints_of_tab == []
