"""The consent page as a person meets it: two equal answers, in a safe order, within reach of a keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

EQUAL = (
    "backgroundColor", "color", "borderTopColor", "borderTopWidth", "borderTopStyle", "fontSize", "fontWeight",
    "opacity", "boxShadow", "textDecorationLine",
)  # fmt: skip


def look(page: Page, decision: str) -> dict[str, Any]:
    """What makes a button heavy or light to the eye; `size` in px."""
    button = page.locator(f"button[value={decision}]")
    style = button.evaluate("(button, names) => names.map(name => getComputedStyle(button)[name])", EQUAL)
    box = button.bounding_box()
    assert box is not None
    return {**dict(zip(EQUAL, style, strict=True)), "size": (round(box["width"]), round(box["height"]))}


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("name", ["consent-loopback", "consent-signed-out", "consent-choice"])
def test_deny_and_allow_weigh_the_same(page: Page, gallery: str, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 720})
    page.goto(gallery + name)
    assert look(page, "deny") == look(page, "approve")


def test_the_keyboard_goes_from_top_to_bottom_and_meets_deny_first(page: Page, gallery: str) -> None:
    page.goto(gallery + "consent-loopback")
    met = []
    for _ in range(4):
        page.keyboard.press("Tab")
        met.append(page.evaluate("document.activeElement.innerText.trim()"))
    assert met == ["Not you? Sign out", "Technical details", "Deny", "Allow"]


def test_the_focus_is_always_seen(page: Page, gallery: str) -> None:
    page.goto(gallery + "consent-choice")
    for _ in range(4):
        page.keyboard.press("Tab")
        outlines = page.evaluate(
            "[document.activeElement, document.activeElement.parentElement].map(one => getComputedStyle(one).outlineStyle)"
        )
        assert "solid" in outlines


def test_enter_among_the_providers_allows_nothing(page: Page, gallery: str) -> None:
    page.goto(gallery + "consent-choice")
    page.get_by_label("Google").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/decide")
    assert page.inner_text("h1") == "deny"


def test_what_the_form_carries_arrives_as_it_was(page: Page, gallery: str) -> None:
    page.goto(gallery + "consent-loopback")
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url("**/decide")
    assert page.inner_text("h1") == "approve"
    assert page.get_by_text("<&\"'>").is_visible()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("consent-loopback", "Any program on this device"),
        ("consent-choice", "Any app on this device"),
        ("consent-configured", "Any program on this device"),
        ("consent-rude", "Whoever runs it receives the answer"),
    ],
)
def test_an_answer_that_others_could_catch_comes_with_a_warning(page: Page, gallery: str, name: str, said: str) -> None:
    page.goto(gallery + name)
    assert said in page.inner_text(".destination .warning")


def test_a_proven_app_that_answers_at_its_own_site_needs_no_warning(page: Page, gallery: str) -> None:
    page.goto(gallery + "consent-proven")
    assert page.locator(".warning").count() == 0
    assert "Unverified" not in page.inner_text("main")


@pytest.mark.parametrize("name", ["consent-loopback", "consent-choice", "consent-nameless", "consent-rude"])
def test_an_app_that_registered_itself_is_marked_unverified(page: Page, gallery: str, name: str) -> None:
    page.goto(gallery + name)
    assert page.get_by_text("Unverified", exact=True).is_visible()


def test_the_host_stands_out_as_the_largest_text(page: Page, gallery: str) -> None:
    page.goto(gallery + "consent-loopback")
    sizes = page.evaluate(
        "[...document.querySelectorAll('main *')].map(one => parseFloat(getComputedStyle(one).fontSize))"
    )
    host = page.locator(".destination .host").evaluate("one => parseFloat(getComputedStyle(one).fontSize)")
    assert host == max(sizes)
