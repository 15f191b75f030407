"""Into the console through a provider, in a real browser: the button, the second factor, and a refusal in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.inspection import inspect, watch
from tests.conftest import StartServer
from tests.harness.demo import knobs
from tests.harness.server import ROOT, Server
from tests.unit.console.test_second_factor import Phone

if TYPE_CHECKING:
    from playwright.sync_api import Page

SECTION = """
console:
  sign_in:
    upstream: demo
    groups_claim: groups
    roles: {security_administrator: [console-admins]}
"""


@pytest.fixture(scope="module")
def server(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The demo, whose operators come from the demo provider, and whose console takes no password."""
    file = tmp_path_factory.mktemp("configuration") / "config.yaml"
    file.write_text((ROOT / "upstream/demo/config.yaml").read_text() + SECTION)
    return start_server(AUTHSERVER_CONFIG=str(file), AUTHSERVER_ADMIN_PASSWORD_SIGN_IN="0", AUTHSERVER_REQUIRE_TOTP="1")


def in_groups(server: Server, *groups: str) -> None:
    """What the demo provider says of everybody from now on."""
    knobs(server, "POST", token={"id_token": {"groups": list(groups)}})


def sign_in(page: Page, server: Server) -> None:
    page.goto(f"{server.issuer}/admin/")
    page.get_by_role("button", name="Sign in with Demo identity provider").click()
    page.get_by_role("button", name="Ada").click()


def test_an_operator_comes_in_through_the_provider_with_a_second_factor(page: Page, server: Server) -> None:
    complaints = watch(page)
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{server.issuer}/admin/")
    page.get_by_role("button", name="Sign in with").wait_for()
    assert page.locator("input[type=password]").count() == 0
    assert inspect(page) == []
    in_groups(server, "staff", "console-admins")
    sign_in(page, server)
    page.get_by_role("img", name="QR code for your authenticator app").wait_for()
    page.get_by_label("Code:").fill(Phone(page.locator("code").first.inner_text()).shows())
    page.get_by_role("button", name="Confirm").click()
    page.get_by_text("Keep your recovery codes").first.wait_for()
    page.goto(f"{server.issuer}/admin/authserver/client/add/")
    page.get_by_role("heading", name="Add client").wait_for()
    assert page.get_by_role("link", name="Change password").count() == 0
    assert complaints == []
    assert inspect(page) == []  # last: axe itself reads style sheets that import others, and the policy stops it


def test_who_is_in_no_mapped_group_is_told_so(page: Page, server: Server) -> None:
    complaints = watch(page)
    page.emulate_media(reduced_motion="reduce")
    in_groups(server, "staff")
    sign_in(page, server)
    page.get_by_role("alert").wait_for()
    assert "in none of the groups that open this console" in page.get_by_role("alert").inner_text()
    assert inspect(page) == []
    assert [one for one in complaints if "403" not in one] == []
