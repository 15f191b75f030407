"""Finding attempts, what the page never shows, and what noting refusals costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from authserver import refusals
from authserver.housekeeping_purges import PURGES
from authserver.models import Refusal
from tests.harness.approval import make_client, post
from tests.unit.authorize.sitting import Sitting, new_sitting
from tests.unit.authorize.town import Town
from tests.unit.console.conftest import Operator, staff  # noqa: F401 - a fixture
from tests.unit.trace.conftest import Read
from tests.unit.trace.test_causes import redeem

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def test_an_attempt_is_found_by_client_app_person_and_address(read: Read, town: Town) -> None:
    query = town.sitting.whole()
    assert redeem(town.sitting, query).status_code == 200
    person = town.sitting.person
    person.email = "ada@example.com"
    person.save()
    for asked in ("app", "A client", str(person.pk), "ada@example.com", person.username, "127.0.0.1"):
        shown = read(asked)
        assert any("has not asked for the person's token" in words for words in shown.verdicts), asked
    assert read("nobody@example.com").verdicts == []
    assert "kept for a day" in read("nobody@example.com").text


def test_the_newest_attempt_comes_first_and_has_its_moments_in_order(read: Read, town: Town) -> None:
    first = town.sitting
    first.approve(first.begin())
    again = Sitting(first.client, first.resource)
    redeem(again, again.whole())
    shown = read("app")
    assert len(shown.verdicts) == 2
    assert "has its tokens" in shown.verdicts[0]
    moments = ["The app was registered.", "The person approved.", "sent to Code.", "came back from Code: done.",
               "A code was given, and the browser sent to 127.0.0.1.", "The app redeemed the code."]  # fmt: skip
    places = [shown.text.index(moment) for moment in moments]
    assert places == sorted(places)


def test_nothing_secret_is_kept_or_shown(read: Read, town: Town) -> None:
    query = town.sitting.whole(state="CANARY-state")
    redeem(town.sitting, query, code_verifier="CANARY-verifier-CANARY-verifier-CANARY-verif")
    post({"grant_type": "authorization_code", "code": "CANARY-code", "client_id": "app", "code_verifier": "C" * 43})
    new = read("app").text + str(list(Refusal.objects.values()))
    assert "CANARY" not in new
    assert query["code"] not in new


def test_what_clients_say_of_themselves_is_cut_and_harmless(read: Read) -> None:
    long = "<script>" + "x" * 5000
    new_sitting().begin(client_id=long)
    row = Refusal.objects.get()
    assert len(row.client_id) <= refusals.MAX_CLIENT_ID
    assert read(row.client_id).verdicts


@pytest.mark.parametrize("asked", ["", " ", "\x00", "\ud7ff" * 3000, "'\"\\%_", "999.1.1.1", "::1"])
def test_a_search_breaks_on_nothing(read: Read, asked: str) -> None:
    assert read(asked).verdicts == []


def test_the_same_refusal_again_and_again_is_one_line(read: Read) -> None:
    sitting = new_sitting()
    for _ in range(5):
        sitting.begin(scope="mcp:everything")
    shown = read("app")
    assert len(shown.verdicts) == 1
    assert "This happened 5 times in a row." in shown.text


def test_a_refused_request_costs_one_insert_and_a_good_one_none(town: Town) -> None:
    make_client("other")
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "other"}
    with CaptureQueriesContext(connection) as captured:
        assert post(form).status_code == 400
    written = [query["sql"] for query in captured if query["sql"].startswith("INSERT")]
    assert len(written) == 1
    before = Refusal.objects.count()
    redeem(town.sitting, town.sitting.whole())
    assert Refusal.objects.count() == before


def test_a_flood_is_noted_in_part_and_answered_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "PER_MINUTE", 3)
    make_client("app")
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "app"}
    assert {post(form).status_code for _ in range(6)} == {400}
    assert Refusal.objects.count() == 3


def test_an_exchange_is_left_to_the_audit_trail() -> None:
    form: dict[str, Any] = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "client_id": "app",
    }
    assert post(form).status_code >= 400
    assert not Refusal.objects.exists()


def test_maintenance_keeps_a_week_and_no_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    ages = [timedelta(days=8), timedelta(days=6), timedelta(hours=1), timedelta(0)]
    Refusal.objects.bulk_create(Refusal(at=now - age, step="token", error="x") for age in ages)
    purge = next(purge for purge in PURGES if purge.model is Refusal)
    assert purge.batch(now=now, limit=10) == 1
    assert replace(purge, most=2).batch(now=now, limit=10) == 1  # type: ignore[call-arg]  # a bounded one
    assert Refusal.objects.count() == 2


def test_only_who_may_read_the_trail_may_search(staff: Operator) -> None:  # noqa: F811 - the fixture
    assert staff("authserver.view_client").get("/admin/trace/?q=app").status_code == 403
    assert staff("accounts.view_auditevent").get("/admin/trace/?q=app").status_code == 200


def test_a_page_takes_a_bounded_number_of_statements(read: Read, town: Town) -> None:
    redeem(town.sitting, town.sitting.whole())

    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            read("app")
        return len(captured)

    few = count()
    for _ in range(3):
        another = town.another()
        another.go_on(another.begin(scope="unknown"))
    assert count() <= few + 2
