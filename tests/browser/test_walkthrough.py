"""`/demo/` as a visitor meets it: ten steps in a real browser, on a server as `./dev run` starts it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.browser.inspection import inspect, watch
from tests.harness.demo import knobs
from tests.harness.server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

UNTIL_CONSENT = ("Call the MCP server", "Register the client")
UNTIL_EXPIRY = ("Redeem the code", "List its tools", "Exchange the token", "Ask the provider who I am")
LIFE_SECONDS = 10  # of the provider's tokens, so that nobody has to wait for half a minute
TSID = "Session (tsid)"


def press(page: Page, *buttons: str) -> None:
    for button in buttons:
        page.get_by_role("button", name=button, exact=True).click()
        page.wait_for_load_state()


def begin(page: Page, server: Server) -> None:
    page.goto(f"{server.issuer}/demo/")
    press(page, *UNTIL_CONSENT)
    page.get_by_role("link", name="Go and decide").click()


def sign_in(page: Page, name: str) -> None:
    """From the consent page through the demo provider, and back."""
    page.locator("button[value=approve]").click()
    page.get_by_role("button", name=name).click()
    page.wait_for_url("**/demo/#token")


def done(page: Page) -> int:
    return page.locator(".step.done").count()


def found(page: Page, step: str, label: str) -> str:
    """What a step found out under this label."""
    return page.locator(f"#{step} .findings div", has_text=label).locator("dd").inner_text()


@contextmanager
def hasty_provider(demo_server: Server) -> Iterator[None]:
    """Tokens of the demo provider live for `LIFE_SECONDS`; Authserver renews them at half of that."""
    knobs(demo_server, "POST", access_token_seconds=LIFE_SECONDS)
    try:
        yield
    finally:
        knobs(demo_server, "POST", access_token_seconds=None)


@pytest.fixture(scope="module")
def walked(browser: Browser, demo_server: Server) -> Iterator[Page]:
    """The page of somebody who has taken all ten steps, every message opened. For looking only."""
    context = browser.new_context()
    page = context.new_page()
    complaints = watch(page)
    with hasty_provider(demo_server):
        begin(page, demo_server)
        sign_in(page, "Ada")
        press(page, *UNTIL_EXPIRY, "End it now, and use it")
        deadline = time.monotonic() + LIFE_SECONDS
        while not page.locator("#again.done").count():
            assert time.monotonic() < deadline, page.inner_text("#again")
            press(page, "Exchange again")
    press(page, "Refresh")
    assert complaints == []
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    yield page
    context.close()


def test_a_stranger_reaches_the_end(walked: Page) -> None:
    assert done(walked) == 10
    assert walked.get_by_role("heading", name="That was all of it").is_visible()


def test_the_provider_sees_the_person(walked: Page) -> None:
    assert "Ada Lovelace" in found(walked, "act", "At the provider")
    assert "Ada Lovelace" in found(walked, "again", "At the provider")


def test_the_upstream_token_changes_and_the_session_stays(walked: Page) -> None:
    assert found(walked, "again", "Upstream token before") != found(walked, "again", "Upstream token now")
    tsid = found(walked, "token", TSID)
    assert len(tsid) > 20
    assert found(walked, "again", TSID) == found(walked, "refresh", TSID) == tsid


def test_refresh_gives_another_jwt(walked: Page) -> None:
    assert found(walked, "refresh", "(jti) before") != found(walked, "refresh", "(jti) now")


def test_no_secret_is_on_the_page(walked: Page, demo_server: Server) -> None:
    """Every secret in the flow is a long run of random characters; the challenge is the only such run that is none."""
    text = walked.inner_text("main")
    assert "eyJh…" in text  # the messages are there, with the beginning of each token
    random_runs = [run for run in re.findall(r"(?:code_challenge=)?[\w-]{40,}", text) if run != run.lower()]
    assert [run.partition("=")[0] for run in random_runs] == ["code_challenge"]
    for name in ("demo_resource_server_secret", "demo_client_secret"):
        assert demo_server.secret(name) not in walked.content()


def test_everybody_can_read_the_whole_walk(walked: Page) -> None:
    assert inspect(walked) == []


def test_everybody_can_read_its_beginning_and_the_pages_on_the_way(page: Page, demo_server: Server) -> None:
    complaints = watch(page)
    page.goto(f"{demo_server.issuer}/demo/")
    assert inspect(page) == []
    begin(page, demo_server)
    assert inspect(page) == []
    page.locator("button[value=approve]").click()
    page.get_by_role("button", name="Ada").wait_for()
    assert inspect(page) == []
    assert complaints == []


def test_whoever_says_no_can_be_asked_again(page: Page, demo_server: Server) -> None:
    begin(page, demo_server)
    page.locator("button[value=deny]").click()
    page.wait_for_url("**/demo/#authorize")
    assert "access_denied" in page.get_by_role("alert").inner_text()
    page.get_by_role("link", name="Go and decide").click()
    sign_in(page, "Grace")
    assert done(page) == 3


def test_somebody_else_may_sign_in_on_the_second_round(page: Page, demo_server: Server) -> None:
    begin(page, demo_server)
    sign_in(page, "Ada")
    press(page, "Forget all this and start over", *UNTIL_CONSENT)
    page.get_by_role("link", name="Go and decide").click()
    press(page, "Not you? Sign out")
    sign_in(page, "Grace")
    press(page, *UNTIL_EXPIRY)
    assert "Grace Hopper" in found(page, "act", "At the provider")


def test_a_code_that_cannot_be_redeemed_leads_back_to_the_question(page: Page, demo_server: Server) -> None:
    begin(page, demo_server)
    state = re.search(r"[?&]state=([\w-]+)", page.url)
    assert state is not None
    page.goto(f"{demo_server.issuer}/demo/callback?code=stale&state={state[1]}&iss={demo_server.issuer}")
    press(page, "Redeem the code")
    assert page.get_by_role("link", name="Go and decide").is_visible()
    assert done(page) == 2
    assert "not valid" in page.get_by_role("alert").inner_text()


@pytest.mark.parametrize("query", ["", "?code=x", "?code=x&state=y", "?error=access_denied&state=%00%ff"])
def test_an_answer_nobody_asked_for_changes_nothing(page: Page, demo_server: Server, query: str) -> None:
    answer = page.goto(f"{demo_server.issuer}/demo/callback{query}")
    assert answer is not None
    assert answer.status == 400
    assert "belongs to no request" in page.get_by_role("alert").inner_text()


def test_an_answer_of_another_issuer_is_not_believed(page: Page, demo_server: Server) -> None:
    begin(page, demo_server)
    state = re.search(r"[?&]state=([\w-]+)", page.url)
    assert state is not None
    answer = page.goto(f"{demo_server.issuer}/demo/callback?code=x&state={state[1]}&iss=https://evil.example")
    assert answer is not None
    assert answer.status == 400
    assert done(page) == 2


def test_a_token_that_is_still_good_or_was_ended_early_is_explained(page: Page, demo_server: Server) -> None:
    begin(page, demo_server)
    sign_in(page, "Ada")
    press(page, *UNTIL_EXPIRY, "Use the old token")
    assert "It still works" in page.get_by_role("alert").inner_text()
    press(page, "End it now, and use it", "Exchange again")
    assert "still the same token" in page.get_by_role("alert").inner_text()


def test_looking_leaves_nothing_behind(page: Page, demo_server: Server) -> None:
    page.goto(f"{demo_server.issuer}/demo/")
    assert [cookie.get("name") for cookie in page.context.cookies()] == ["authserver-csrf"]
