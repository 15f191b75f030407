"""The console's first page in a real browser: readable by everybody, on a phone and a desk, in light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.inspection import inspect, watch
from tests.browser.test_console import signed_in
from tests.conftest import StartServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

BUSY = """
from django.utils import timezone
from accounts.models import AuditEvent, AuditTally
from accounts.tallies import HOUR, hour_of
now = timezone.now()
AuditTally.objects.bulk_create(
    AuditTally(hour=hour_of(now) - n * HOUR, sign_ins=n % 7, exchanges=n * n % 1201) for n in range(3, 700))
AuditEvent.objects.create(at=now, event="vault.release", outcome="failed", reason="temporarily_unavailable",
                          upstream="demo", detail={"why": "http_503"})
"""


def test_the_first_page_is_for_everybody_on_a_phone_and_in_the_dark_too(page: Page, start_server: StartServer) -> None:
    server = start_server()
    filled = server.manage("shell", "-c", BUSY)
    assert filled.returncode == 0, filled.stderr
    page.emulate_media(reduced_motion="reduce")  # else colours are measured while they change
    complaints = watch(signed_in(page, server))
    page.reload()
    page.get_by_role("link", name="It answered with an error (HTTP 503).").wait_for()
    assert inspect(page) == []
    assert page.get_by_role("img", name="Sign-ins").count() == 2
    page.get_by_text("As a table").first.click()
    assert page.get_by_role("table", name="Last 24 hours").get_by_role("row").count() == 25
    assert complaints == []
