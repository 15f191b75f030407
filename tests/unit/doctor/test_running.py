"""The doctor at a server as people start it, and its page in the console."""

from __future__ import annotations

import json

import pytest

from accounts.models import AuditEvent
from tests.harness.server import Server
from tests.unit.console.conftest import Operator, staff, superuser  # noqa: F401 - fixtures

PAGE = "/admin/doctor/"


def test_a_running_demo_server_is_well_and_nothing_secret_is_said(demo_server: Server) -> None:
    ran = demo_server.manage("doctor", "--json")
    answer = json.loads(ran.stdout)
    levels = {finding["check"]: finding["level"] for finding in answer["findings"]}
    assert ran.returncode == 0, ran.stdout
    for check in ("issuer", "issuer.discovery", "issuer.keys", "issuer.clock", "database", "database.migrations",
                  "vault.keys", "signing_key", "upstream.demo", "revocations", "cache"):  # fmt: skip
        assert levels[check] == "ok", check
    assert levels["configuration.demo"] == "warning"
    for secret in demo_server.data_dir.iterdir():
        if secret.is_file() and secret.stat().st_size < 4096 and (text := secret.read_text(errors="ignore").strip()):
            assert len(text) < 16 or text not in ran.stdout + ran.stderr, secret.name


@pytest.mark.django_db
def test_the_console_shows_a_button_and_after_it_the_list(staff: Operator) -> None:  # noqa: F811 - the fixture
    http = staff("accounts.view_auditevent")
    assert "Look now" in http.get(PAGE).content.decode()
    before = AuditEvent.objects.count()
    page = http.post(PAGE).content.decode()
    assert "Something does not work." in page
    assert page.index("failed</strong>") < page.index("<td>ok</td>")
    assert AuditEvent.objects.count() == before
    assert PAGE in http.get("/admin/").content.decode()


@pytest.mark.django_db
def test_others_are_refused_and_see_no_link(staff: Operator) -> None:  # noqa: F811 - the fixture
    http = staff("authserver.view_client")
    assert http.post(PAGE).status_code == 403
    assert PAGE not in http.get("/admin/").content.decode()


@pytest.mark.django_db
def test_the_page_speaks_german(staff: Operator) -> None:  # noqa: F811 - the fixture
    http = staff("accounts.view_auditevent")
    page = http.post(PAGE, headers={"accept-language": "de"}).content.decode()
    assert "fehlgeschlagen" in page
