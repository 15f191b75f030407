"""Every page in the gallery: accessible, within its policy, on a phone and a desk, in light and dark."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.gallery import PAGES
from tests.browser.inspection import PHONE, inspect, watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_OURS = re.compile(r"status of (500 \(Internal Server Error|503 \(Service Unavailable)")
MAX_PAGE_BYTES = 30_000  # with its stylesheet and mark: one round trip or two on a phone

CUT_OFF = """[...document.querySelectorAll('main *')]
    .filter(one => getComputedStyle(one).display !== 'inline' && !one.matches('pre'))
    .filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.outerHTML.slice(0, 200))"""
"""What is wider than its box, in whichever direction; blocks of code may scroll."""

every_page = pytest.mark.parametrize("name", [*PAGES, "fail", "away"])


@every_page
def test_everybody_can_read_it_at_every_width_and_in_both_schemes(page: Page, gallery: str, name: str) -> None:
    complaints = watch(page)
    page.goto(gallery + name)
    assert inspect(page) == []
    assert [complaint for complaint in complaints if not _OURS.search(complaint)] == []


@every_page
@pytest.mark.parametrize(("language", "direction"), [("de", "ltr"), ("ar", "rtl")])
def test_it_stays_on_the_phone_in_longer_words_and_from_right_to_left(
    browser: Browser, gallery: str, name: str, language: str, direction: str
) -> None:
    context = browser.new_context(locale=language, viewport={"width": PHONE, "height": 640})
    page = context.new_page()
    page.goto(gallery + name)
    assert (page.get_attribute("html", "lang"), page.get_attribute("html", "dir")) == (language, direction)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE
    assert page.evaluate(CUT_OFF) == []
    context.close()


@every_page
def test_it_is_small_and_brings_no_inline_code_or_style(page: Page, gallery: str, name: str) -> None:
    sizes: dict[str, int] = {}
    page.on("response", lambda response: sizes.update({response.url: len(response.body() if response.ok else b"")}))
    answer = page.goto(gallery + name, wait_until="networkidle")
    assert answer is not None
    text = answer.text()
    if name.startswith("waiting"):  # it goes on by itself; whoever has no scripts follows its link
        text = re.sub(r'<script src="/static/[a-z0-9.]+" defer></script>', "", text, count=1)
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", text)
    assert len(sizes) >= 2  # the page and its stylesheet
    assert sum(sizes.values()) < MAX_PAGE_BYTES


def test_a_name_full_of_markup_is_shown_as_text(page: Page, gallery: str) -> None:
    page.goto(gallery + "consent-rude")
    assert page.locator("main script").count() == 0
    page.get_by_text("Technical details").click()
    assert page.get_by_text("<script>alert(1)</script>").is_visible()


@pytest.mark.parametrize("name", ["404", "fail", "away"])
def test_an_error_page_ends_with_the_id_of_its_request(page: Page, gallery: str, name: str) -> None:
    answer = page.goto(gallery + name)
    assert answer is not None
    assert answer.headers["x-request-id"] in page.inner_text("main")
