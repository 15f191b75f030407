"""The section `apps`: decisions that stand in the file, before the first registration or after it."""

from __future__ import annotations

import pytest
from django.core.management import CommandError

from accounts.models import TokenSession
from authserver import app_merging, app_registry
from authserver.models import App
from tests.harness.approval import approve, make_client
from tests.harness.registration import registered
from tests.unit.configuration.test_applying import Write, run

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

DECIDED = """
    apps:
      - {cimd_host: claude.ai, name: Claude, state: verified}
      - name: Claude Code
        redirect_uris: ["http://localhost/callback"]
        state: approved
        scopes: ["mcp:tools"]
        reusable_refresh_tokens: true
        note: since March
"""


def merge(main: App, other: App) -> None:
    """As an operator does in the console."""
    app_merging.merge(
        main.pk, [other.pk], seen={main.pk: main.state, other.pk: other.state}, block="", actor="root", reason="one",
        now=main.created_at,
    )  # fmt: skip


def test_a_decision_stands_before_the_first_registration(write: Write) -> None:
    assert run(write(DECIDED))[:2] == ["+ app Claude · claude.ai", "+ app Claude Code · on people's own devices"]
    registered(client_name="Claude Code (github)", redirect_uris=["http://127.0.0.1:5000/cb"])
    app = App.objects.get(kind="named")
    assert (app.state, app.allowed_scopes, app.reusable_refresh_tokens) == ("approved", "mcp:tools", True)
    assert app.decided_by == "apply_config"
    assert [(note.text, note.by) for note in app.notes.all()] == [("since March", "apply_config")]
    assert App.objects.get(kind="cimd").is_verified
    assert App.objects.count() == 2


def test_the_second_time_there_is_nothing_to_do(write: Write) -> None:
    run(write(DECIDED))
    assert run(write(DECIDED)) == ["config.yaml: nothing to change"]


def test_what_a_file_blocks_is_over_and_a_dry_run_ends_nothing(write: Write) -> None:
    approval = approve(client=make_client(name="Bad", registration_source="dcr"))
    file = write("""
        apps: [{name: Bad, redirect_uris: ["http://localhost/x"], state: blocked, told: Use ours.}]
    """)
    run(file, "--dry-run")
    assert TokenSession.objects.get(tsid=approval.tsid).closed_at is None
    assert "~ app Bad · on people's own devices: state, told" in run(file)
    assert TokenSession.objects.get(tsid=approval.tsid).closed_at is not None


def test_a_restart_lifts_no_block_that_was_set_in_the_console(write: Write) -> None:
    run(write(DECIDED))
    app = App.objects.get(kind="cimd")
    app_registry.decide(app, App.State.BLOCKED, actor="root", now=app.created_at)
    assert any("is blocked (the console unblocks it)" in line for line in run(write(DECIDED)))
    assert App.objects.get(kind="cimd").is_blocked


def test_what_was_merged_in_the_console_is_decided_about_with_its_app_unless_the_file_blocks_it(write: Write) -> None:
    run(write(DECIDED))
    main, other = App.objects.get(kind="cimd"), App.objects.get(kind="named")
    merge(main, other)
    approval = approve(client=make_client(name="Claude Code", registration_source="dcr"))
    lines = run(write(DECIDED.replace("state: approved", "state: pending")))
    assert any("Claude Code · on people's own devices is merged into Claude · claude.ai" in line for line in lines)
    assert [line for line in lines if line.startswith(("~", "+"))] == []
    assert set(App.objects.values_list("state", flat=True)) == {"verified", "approved"}
    blocking = write(DECIDED.replace("state: approved", "state: blocked"))
    assert "~ app Claude · claude.ai: state" in run(blocking)
    assert set(App.objects.values_list("state", flat=True)) == {"blocked"}
    assert TokenSession.objects.get(tsid=approval.tsid).closed_at is not None
    assert [line for line in run(blocking) if line.startswith(("~", "+"))] == []


def test_what_the_file_sets_for_an_app_holds_for_what_is_merged_into_it(write: Write) -> None:
    run(write(DECIDED))
    main, other = App.objects.get(kind="cimd"), App.objects.get(kind="named")
    merge(main, other)
    run(write("apps: [{cimd_host: claude.ai, name: Claude, state: pending, scopes: [a], told: Ask us.}]"))
    found = set(App.objects.values_list("state", "allowed_scopes", "told"))
    assert found == {("pending", "a", "Ask us.")}


def test_a_note_of_the_file_is_written_down_once_and_no_note_is_lost(write: Write) -> None:
    run(write(DECIDED))
    lines = run(write(DECIDED.replace("since March", "since April")))
    assert "~ app Claude Code · on people's own devices: note" in lines
    run(write(DECIDED))
    texts = App.objects.get(kind="named").notes.order_by("pk").values_list("text", flat=True)
    assert list(texts) == ["since March", "since April"]


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ("{cimd_host: claude.ai}", "apps[0].state: is missing"),
        ("{cimd_host: claude.ai, state: fine}", "'fine' is not known"),
        ("{cimd_host: https://claude.ai, state: approved}", "is not a domain"),
        ("{cimd_host: a.example, redirect_uris: [https://a.example/cb], state: approved}", "stands beside cimd_host"),
        ("{name: X, state: approved}", "apps[0].redirect_uris: is missing"),
        ("{name: X, redirect_uris: [http://x.example/], state: approved}", "cannot be a redirect URI"),
        ("{name: X, redirect_uris: [http://localhost/], state: verified}", "cannot be verified"),
        ("{cimd_host: a.example, state: approved, verified: true}", "is not a key here"),
        ("{cimd_host: a.example, state: approved}, {cimd_host: a.example, state: blocked}", "is the app that line"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(entry: str, wrong: str, write: Write) -> None:
    with pytest.raises(CommandError) as refused:
        run(write(f"apps: [{entry}]"))
    assert wrong in str(refused.value)
    assert not App.objects.exists()


def test_a_resource_has_a_registration_mode_of_its_own(write: Write) -> None:
    file = """
        resources: [{{identifier: https://mcp.example.com/mcp, name: MCP, scopes: [a], registration: {{mode: {}}}}}]
        registration: {{mode: open, contact: "the service desk, desk@example.com"}}
    """
    run(write(file.format("approval")))
    assert "~ resource https://mcp.example.com/mcp: registration" in run(write(file.format("closed")))
    with pytest.raises(CommandError, match="is not known"):
        run(write(file.format("approvals")))
