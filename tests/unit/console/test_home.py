"""The console's first page: what it counts, what it says needs attention, whom it tells, and what that costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import checks
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import audit, tallies
from accounts.models import AuditEvent, AuditTally, Credential, Revocation, TokenSession, User
from accounts.tallies import HOUR, hour_of
from authserver.console.home import attention, charts, facts, health
from authserver.console.home.bounded import Bounded
from authserver.models import App, ApprovalRequest, SigningKey
from tests.harness.approval import make_provider
from tests.unit.console.conftest import Everything, Operator
from tests.unit.console.crawl import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

NOW = timezone.now().replace(minute=30, second=0, microsecond=0)


def page(http: Http) -> Any:
    facts.forget()
    answer = http.get(ROOT)
    assert answer.status_code == 200
    return answer


def numbers(http: Http) -> dict[str, str]:
    return {number.words: number.count for number in page(http).context["numbers"]}


def needs(http: Http) -> str:
    return " ".join(f"{item.words} {item.hint}" for item in page(http).context["needs"])


def happened(event: str, upstream: str = "", *, times: int = 1, ago: timedelta = timedelta(0), **more: Any) -> None:
    AuditEvent.objects.bulk_create(
        AuditEvent(at=timezone.now() - ago, event=event, upstream=upstream, **{"outcome": "ok", **more})
        for _number in range(times)
    )


def test_the_numbers_are_those_of_the_lists_they_lead_to(everything: Everything, superuser: Http) -> None:
    happened("vault.release", "github", times=3)
    happened("vault.release", "github", ago=2 * HOUR)
    assert numbers(superuser) == {
        "live sessions": "1",
        "exchanges in the last hour": "3",
        "failing upstreams": "0",
        "apps that wait for approval": "1",
    }
    for number in page(superuser).context["numbers"]:
        listed = superuser.get(number.url)
        assert listed.status_code == 200
        if number.words != "failing upstreams":
            assert listed.context["cl"].result_count == int(number.count), number
    TokenSession.objects.update(idle_expires_at=timezone.now())
    App.objects.update(state=App.State.APPROVED)
    assert [numbers(superuser)[name] for name in ("live sessions", "apps that wait for approval")] == ["0", "0"]
    assert ApprovalRequest.objects.count() == 1


def test_a_count_stops_where_nobody_reads_on() -> None:
    happened("tests.many", times=12)
    with CaptureQueriesContext(connection) as captured:
        assert str(Bounded.of(AuditEvent.objects.all(), at_most=10)) == "10+"
    assert "LIMIT 11" in captured[0]["sql"]
    assert str(Bounded.of(AuditEvent.objects.all(), at_most=12)) == "12"


def test_an_upstream_fails_until_somebody_signs_in_again(superuser: Http) -> None:
    make_provider("github", display_name="GitHub")
    assert [row.state for row in page(superuser).context["upstreams"]] == ["quiet for a day"]
    happened("vault.release", "github", outcome="failed", reason="temporarily_unavailable", detail={"why": "http_503"},
             ago=timedelta(minutes=5))  # fmt: skip
    happened("vault.release", "github")  # a stored token: that proves nothing
    assert "GitHub is failing. It answered with an error (HTTP 503)." in needs(superuser)
    [row] = page(superuser).context["upstreams"]
    assert row.failing
    assert len(superuser.get(row.errors_url).context["cl"].result_list) == 1
    happened("upstream.sign_in", "github")
    assert "failing" not in needs(superuser)


def test_a_person_who_has_to_sign_in_anew_is_no_error_of_the_provider(superuser: Http) -> None:
    make_provider("github")
    for reason in ("not_connected", "needs_reauthorization", "missing_scope"):
        happened("vault.release", "github", outcome="failed", reason=reason)
    [row] = page(superuser).context["upstreams"]
    assert (row.failing, row.error) == (False, "")


def test_each_reason_of_an_upstream_is_said_in_words() -> None:
    assert health.in_words("timeout") == "It did not answer in time."
    assert health.in_words("token_http_502") == "It answered with an error (HTTP 502)."
    assert health.in_words("iss_mismatch") == "Its answer names another issuer than the one configured here."
    assert health.in_words("answer_malformed_KeyError") == "Its answer was not acceptable (answer_malformed_KeyError)."


def test_what_needs_attention_leads_to_its_list(everything: Everything, superuser: Http) -> None:
    Credential.objects.update(state=Credential.State.DEAD)
    Revocation.objects.update(state=Revocation.State.FAILED, finished_at=timezone.now())
    said = needs(superuser)
    for words in ("1 credential is dead", "1 revocation at a provider was given up", "1 app waits for approval"):
        assert words in said
    for item in page(superuser).context["needs"]:
        if item.url and "auditevent" not in item.url:
            assert superuser.get(item.url).status_code == 200, item
    urgent = [item.urgent for item in page(superuser).context["needs"]]
    assert urgent == sorted(urgent, reverse=True)


def test_the_first_administrator_is_named_until_the_account_is_closed(superuser: Http) -> None:
    first = User.objects.create_superuser("admin")
    audit.record("admin.created", actor="bootstrap", user_id=first.pk)
    assert "administrator that the first start made" in needs(superuser)
    User.objects.filter(pk=first.pk).update(is_active=False)
    assert "administrator that the first start made" not in needs(superuser)


def test_a_key_whose_turn_is_near_or_past_is_named(superuser: Http) -> None:
    key = SigningKey.objects.create(kid="key-1", algorithm="ES256", phase="active", public_jwk={}, private_key_sealed="x",
                                    created_at=NOW, activated_at=NOW)  # fmt: skip
    assert "turned over" not in needs(superuser)
    SigningKey.objects.filter(pk=key.pk).update(activated_at=NOW - timedelta(days=85))
    assert "key-1 is turned over" in needs(superuser)
    SigningKey.objects.filter(pk=key.pk).update(activated_at=NOW - timedelta(days=92))
    assert "key-1 should have been turned over" in needs(superuser)


def test_maintenance_that_does_not_run_is_named(superuser: Http) -> None:
    happened("upstream.sign_in", "github", ago=timedelta(hours=30))
    assert "Maintenance has not run" in needs(superuser)
    assert "did not count" in page(superuser).content.decode()
    while tallies.count_hours(now=timezone.now(), limit=100):
        pass
    assert "Maintenance has not run" not in needs(superuser)
    assert "did not count" not in page(superuser).content.decode()


def test_what_the_checks_warn_of_is_repeated(superuser: Http) -> None:
    warning = checks.Warning("The moon is full.", hint="Wait.", id="tests.W001")
    known = facts.read(now=timezone.now())
    said = attention.items(type(known)(**{**vars(known), "warnings": [warning]}), now=timezone.now())
    assert [(item.words, item.hint) for item in said if "moon" in item.words] == [("The moon is full.", "Wait.")]


def test_every_hour_is_counted_once_whoever_counts_and_however_often() -> None:
    now = hour_of(NOW) + timedelta(minutes=6)
    assert tallies.count_hours(now=now, limit=100) == 0, "nothing has happened yet"
    AuditEvent.objects.bulk_create(
        AuditEvent(at=now - n * HOUR, event=event, outcome=outcome)
        for n in range(1, 6)
        for event, outcome in [("upstream.sign_in", "ok"), ("vault.release", "ok"), ("vault.release", "failed")]
    )
    assert [tallies.count_hours(now=now, limit=3) for _times in range(3)] == [3, 2, 0]
    assert list(AuditTally.objects.order_by("hour").values_list("hour", "sign_ins", "exchanges")) == [
        (hour_of(now) - n * HOUR, 1, 1) for n in (5, 4, 3, 2, 1)
    ]
    assert tallies.count_hours(now=hour_of(now) + HOUR + timedelta(minutes=4), limit=9) == 0, "not settled"
    assert tallies.count_hours(now=now + timedelta(days=50), limit=2) == 2
    assert AuditTally.objects.count() == 2, "the old ones are gone"


def test_the_charts_are_the_tallies_and_what_is_younger() -> None:
    now = timezone.now()
    AuditTally.objects.bulk_create(
        AuditTally(hour=hour_of(now) - n * HOUR, sign_ins=1, exchanges=1000) for n in range(1, 24 * 31)
    )
    happened("upstream.sign_in", "github", times=2)
    day, month = charts.of(facts.read(now=now))
    assert [row[1] for row in day.table] == ["1"] * 23 + ["2"]
    assert day.series[1].summary == "23,000 in all, 1,000 at most"
    assert [len(day.series[1].bars), len(month.table), month.table[5][2]] == [23, 30, "24,000"]
    assert (day.gap, month.gap) == (None, None)
    assert all(bar.y >= 0 and bar.y + bar.height == charts.HEIGHT for bar in day.series[0].bars)


def test_whoever_may_not_see_a_list_is_not_told_its_number(everything: Everything, staff: Operator) -> None:
    make_provider("gitlab")
    answer = page(staff("authserver.view_app"))
    assert [number.words for number in answer.context["numbers"]] == ["apps that wait for approval"]
    assert [item.permission for item in answer.context["needs"]] == ["authserver.view_app"]
    assert (answer.context["charts"], answer.context["upstreams"]) == ([], [])
    nobody = page(staff())
    assert not any(nobody.context[name] for name in ("numbers", "needs", "charts", "upstreams"))


def test_the_page_costs_the_same_with_one_row_and_with_many_and_nothing_for_half_a_minute(
    everything: Everything, superuser: Http
) -> None:
    few = statements(superuser)
    for number in range(20):
        make_provider(f"provider-{number}")
        happened("vault.release", f"provider-{number}", times=30)
        happened("upstream.sign_in", f"provider-{number}", outcome="failed", reason="timeout")
    many = statements(superuser)
    assert len(many) == len(few) + 1, "the errors are read in one"
    assert len(many) <= 24
    assert all("LIMIT" in sql for sql in many if "COUNT(" in sql), many
    with CaptureQueriesContext(connection) as again:
        superuser.get(ROOT)
    assert len(again) <= 4  # the browser session, the operator, Django's own list of what they did


def statements(http: Http) -> list[str]:
    page(http)  # the checks are asked less often than the rest
    with facts._lock:
        facts._kept = None
    with CaptureQueriesContext(connection) as captured:
        assert http.get(ROOT).status_code == 200
    return [query["sql"] for query in captured]
