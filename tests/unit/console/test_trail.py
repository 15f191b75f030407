"""The audit trail in the console: what can be asked of it, that each answer is bounded, and its export."""

from __future__ import annotations

import ast
import csv
import io
import json
from collections.abc import Generator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import audit
from accounts.models import AppendOnly, AuditEvent, User
from authserver import cascade
from authserver.console.trail import export, filters, words
from tests.harness.approval import approve, make_user
from tests.harness.server import ROOT as PROJECT
from tests.unit.console.conftest import Operator
from tests.unit.console.crawl import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

LIST = f"{ROOT}accounts/auditevent/"
EXPORT = f"{LIST}export/"
NOW = timezone.now()


def shown(http: Http, **asked: Any) -> list[str]:
    """The reasons of the listed rows, by which these tests tell them apart."""
    answer = http.get(LIST, asked)
    assert answer.status_code == 200
    return [row.reason for row in answer.context["cl"].result_list]


def exported(http: Http, kind: str, query: str = "") -> str:
    answer = http.post(f"{EXPORT}?{query}", {"format": kind})
    assert answer.status_code == 200, answer
    return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]  # it streams


def test_rows_are_found_by_whom_what_where_and_when(superuser: Http) -> None:
    ada = make_user()
    User.objects.filter(pk=ada.pk).update(username="ada", email="ada@example.com")
    receipt = uuid4()
    facts: dict[str, Any] = {
        "event": "client.changed", "outcome": "failed", "user_id": ada.pk, "client_id": "c-1", "tsid": "t-1",
        "upstream": "github", "address": "192.0.2.7", "actor": "somebody", "receipt": receipt,
    }  # fmt: skip
    audit.record_all([audit.Event(**{**facts, "reason": "this"})])
    audit.record("client.changed", reason="other")
    audit.record("client.changed", reason="old", actor="somebody", now=NOW - timedelta(days=400))
    assert shown(superuser) == ["other", "this", "old"]
    for name, value in facts.items():
        if name not in {"event", "user_id"}:
            assert shown(superuser, **{name: value}) == ["this"], name
    for person in (ada.pk, "ada", "ada@example.com"):
        assert shown(superuser, person=person) == ["this"]
    assert shown(superuser, event="client.changed") == ["other", "this", "old"]
    assert shown(superuser, until="2026-01-01T00:00", actor="somebody") == []
    around = {
        "since": f"{NOW - timedelta(days=401):%Y-%m-%dT%H:%M}",
        "until": f"{NOW - timedelta(days=399):%Y-%m-%dT%H:%M}",
    }
    assert shown(superuser, **around) == ["old"]
    assert shown(superuser, **around, actor="somebody") == ["old"]


def test_an_app_is_found_by_its_name_with_all_its_registrations(superuser: Http) -> None:
    approval = approve()
    audit.record("client.changed", client_id=approval.client.client_id, reason="this")
    assert approval.client.app is not None
    assert "this" in shown(superuser, app=approval.client.app.name.upper())
    assert shown(superuser, app="nobody") == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("address", "not-one"), ("receipt", "1"), ("since", "yesterday"), ("tsid", "x\x00"), ("person", "x" * 300)],
)
def test_what_makes_no_sense_is_said_and_finds_nothing(field: str, value: str, superuser: Http) -> None:
    audit.record("client.changed")
    answer = superuser.get(LIST, {field: value})
    assert (answer.status_code, list(answer.context["cl"].result_list)) == (200, [])
    assert answer.context["cl"].form.errors[field]
    assert superuser.post(f"{EXPORT}?{field}={value[:20]}" if "\x00" not in value else f"{EXPORT}?receipt=1",
                          {"format": "csv"}).status_code in {200, 400}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "bounded"),
    [
        ((), False), (("event",), False), (("client_id",), False), (("outcome",), True), (("actor",), True),
        (("event", "address"), True), (("upstream", "outcome"), True), (("person", "outcome"), False),
        (("tsid", "event", "actor"), False), (("receipt",), False),
    ],
)  # fmt: skip
def test_what_no_index_leads_to_is_looked_for_within_a_stretch_of_time(given: tuple[str, ...], bounded: bool) -> None:
    assert filters.needs_window(dict.fromkeys(given, "x")) == bounded


def test_no_stretch_of_time_is_longer_than_a_month_where_one_is_needed(superuser: Http) -> None:
    audit.record("client.changed", reason="old", outcome="failed", now=NOW - timedelta(days=40))
    answer = superuser.get(LIST, {"outcome": "failed", "since": "2020-01-01T00:00"})
    assert list(answer.context["cl"].result_list) == []
    assert "of 31 days at most" in answer.content.decode()


@pytest.mark.parametrize("name", ["tsid", "client_id", "address", "upstream", "event", "person", "receipt"])
def test_each_filter_has_an_index(name: str, superuser: Http) -> None:
    """With sequential scans out of favour, as on a table of millions, PostgreSQL takes it; SQLite has no such choice."""
    values = {"address": "192.0.2.7", "person": str(uuid4()), "receipt": str(uuid4())}
    form = filters.FilterForm({name: values.get(name, "x")})
    rows = filters.narrowed(AuditEvent.objects.order_by("-at", "-id"), form, now=NOW).rows[:51]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            if name not in filters.NARROW:  # whoever has few rows may have them sorted
                cursor.execute("SET LOCAL enable_sort = off")
    plan = rows.explain()
    index = {"person": "audit_user", "client_id": "audit_client"}.get(name, f"audit_{name}")
    assert index in plan, plan


def test_every_event_has_its_words() -> None:
    """Those that the sources name outright; the others are made of a state or a kind of ending."""
    named = set()
    for top in ("accounts", "authserver", "upstream"):
        for path in (PROJECT / top).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text())):
                if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant):
                    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                    if function in {"record", "Event", "_record", "_event"} and "." in str(call.args[0].value):
                        named.add(str(call.args[0].value))
    assert len(named) > 20
    assert named - set(words.WORDS) == set()


def test_a_row_says_what_happened_in_words_and_leads_on(superuser: Http) -> None:
    approval = approve()
    receipt = cascade.revoke_session(approval.tsid, reason="admin", actor="root")
    assert receipt is not None
    page = superuser.get(LIST, {"tsid": approval.tsid, "event": "session.revoked"}).content.decode()
    assert "A token session was ended" in page
    assert "<code>session.revoked</code>" in page
    assert f"{ROOT}accounts/tokensession/{approval.tsid}/change/" in page
    assert f"{ROOT}receipts/{receipt.id}/" in page


def test_the_trail_is_added_to_and_nothing_in_it_is_changed() -> None:
    audit.record("client.changed")
    row = AuditEvent.objects.get()
    row.reason = "another"
    for change in (
        row.save,
        row.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(reason="x"),
    ):
        with pytest.raises(AppendOnly):
            change()
    with pytest.raises(AppendOnly):
        AuditEvent.objects.bulk_update([row], ["reason"])
    assert AuditEvent.objects.get().reason == ""


def test_the_filtered_list_is_exported_for_programs(superuser: Http) -> None:
    user = make_user()
    audit.record("client.changed", user_id=user.pk, reason="this", address="192.0.2.7", number=1)
    audit.record("client.changed", reason="other")
    [line] = exported(superuser, "jsonl", f"person={user.pk}").splitlines()
    row = json.loads(line)
    assert (row["event"], row["user_id"], row["detail"]) == ("client.changed", str(user.pk), {"number": 1})
    assert list(row) == list(export.COLUMNS)


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_spreadsheet_is_a_formula(begins: str, superuser: Http) -> None:
    audit.record("client.changed", reason=f"{begins}cmd|' /C calc'!A0", client_id='a,b\n"c"')
    header, row = csv.reader(io.StringIO(exported(superuser, "csv", "event=client.changed"), newline=""))
    cells = dict(zip(header, row, strict=True))
    assert cells["reason"] == f"'{begins}cmd|' /C calc'!A0"
    assert cells["client_id"] == 'a,b\n"c"'


def test_an_export_is_in_the_trail_with_what_was_asked_for_and_how_much_it_was(superuser: Http) -> None:
    for _number in range(3):
        audit.record("client.changed")
    exported(superuser, "csv", "event=client.changed")
    began, ended = AuditEvent.objects.filter(event__startswith="audit.").order_by("id")
    assert (began.event, began.detail) == (
        "audit.export_began",
        {"format": "csv", "filter": {"event": "client.changed"}},
    )
    assert (ended.outcome, ended.detail["rows"], ended.actor, ended.address) == ("ok", 3, "root", "127.0.0.1")


def test_an_export_that_nobody_reads_to_the_end_says_so() -> None:
    audit.record("client.changed")
    told: list[tuple[int, bool]] = []
    parts = export.lines(AuditEvent.objects.all(), "jsonl", done=lambda *said: told.append(said))
    assert isinstance(parts, Generator)
    next(parts)
    parts.close()
    assert told == [(1, False)]


def test_pages_of_an_export_follow_each_other_without_gap_or_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of one moment, as a statement writes them, are more than a page."""
    monkeypatch.setattr(export, "PAGE", 3)
    audit.record_all([audit.Event("client.changed", reason=str(number)) for number in range(10)])
    told: list[tuple[int, bool]] = []
    with CaptureQueriesContext(connection) as captured:
        text = b"".join(export.lines(AuditEvent.objects.all(), "jsonl", done=lambda *said: told.append(said)))
    assert [json.loads(line)["reason"] for line in text.splitlines()] == [str(number) for number in range(10)][::-1]
    assert told == [(10, True)]
    assert len(captured) == 4


def test_an_export_that_takes_too_long_ends_with_where_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE", 2)
    audit.record_all([audit.Event("client.changed") for _number in range(5)])
    told: list[tuple[int, bool]] = []
    time = iter([0.0, 1.0, export.MAX_SECONDS + 1.0])
    parts = export.lines(
        AuditEvent.objects.all(), "csv", done=lambda *said: told.append(said), clock=lambda: next(time)
    )
    last = b"".join(parts).decode().splitlines()[-1]
    assert last.startswith("incomplete,")
    assert told == [(4, False)]


def test_looking_at_the_trail_is_not_taking_it_away(staff: Operator) -> None:
    looks = staff("accounts.view_auditevent")
    assert EXPORT not in looks.get(LIST).content.decode()
    assert looks.post(EXPORT, {"format": "csv"}).status_code == 403
    assert staff("accounts.export_auditevent").post(EXPORT, {"format": "csv"}).status_code == 403
    both = staff("accounts.view_auditevent", "accounts.export_auditevent")
    assert EXPORT in both.get(LIST).content.decode()
    assert both.get(EXPORT).status_code == 405
    assert both.post(EXPORT, {"format": "xlsx"}).status_code == 400
    assert both.post(EXPORT, {"format": "csv"}).status_code == 200
