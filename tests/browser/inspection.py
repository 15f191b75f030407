"""What every page of ours owes to every person, checked in the browser: `inspect(page)`.

Sizes are CSS pixels: 320 wide is the smallest phone, and a desktop zoomed to 400 % (WCAG 2.2, 1.4.10).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from playwright.sync_api import Page

PHONE, DESK = 320, 1280
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


NOT_OURS = {"exclude": [[".selector .help-tooltip"]]}
"""Django's own script puts a label on these, where no label may be; the text is beside them, too."""


@cache
def axe() -> Axe:
    """axe-core with all its rules; its script is read once."""
    return Axe()


def watch(page: Page) -> list[str]:
    """A list that fills with whatever the browser complains about: policy violations, broken files, script errors."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "response",
        lambda response: (
            complaints.append(f"{response.status} {response.url}")
            if response.status >= 400 and not response.request.is_navigation_request()
            else None
        ),
    )
    return complaints


def inspect(page: Page) -> list[str]:
    """What is wrong with the page that is open, at both widths and in both schemes; nothing, if all is well."""
    return [wrong for width in (PHONE, DESK) for scheme in SCHEMES for wrong in inspect_as(page, width, scheme)]


def inspect_as(page: Page, width: int, scheme: Scheme) -> list[str]:
    """The same at one width and in one scheme: where there are many pages of a kind."""
    page.set_viewport_size({"width": width, "height": 720})
    page.emulate_media(color_scheme=scheme)
    return [f"{width} {scheme}: {wrong}" for wrong in (*_too_wide(page), *_violations(page))]


def _too_wide(page: Page) -> list[str]:
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"scrolls sideways by {wider} px"] if wider else []


def _violations(page: Page) -> list[str]:
    results: dict[str, Any] = axe().run(page, context=NOT_OURS).response
    return [
        f"{violation['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for violation in results["violations"]
        for node in violation["nodes"]
    ]
