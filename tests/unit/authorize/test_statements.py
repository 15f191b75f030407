"""What an authorization sends to the database where nobody has to be asked, without BEGIN and COMMIT."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import BrowserSession, Credential
from authserver.models import Consent, Grant, PendingAuthorization
from tests.harness.between import before
from tests.unit.authorize.answers import ticket_of
from tests.unit.authorize.conftest import Door

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
TRANSACTION = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


def test_what_was_approved_before_takes_at_most_fifteen_and_holds_the_consent_that_it_read(door: Door) -> None:
    door.sign_in()
    assert door.answer(door.ask()).status_code in {200, 302}
    door.ask()  # whatever is read once a process
    with CaptureQueriesContext(connection) as captured:
        answer = door.ask()
    assert "code=" in answer.headers["Location"]
    sent = [query["sql"] for query in captured if not query["sql"].upper().startswith(TRANSACTION)]
    assert len(sent) <= 15, sent
    assert len([sql for sql in sent if Consent._meta.db_table in sql]) == 2


def test_an_answer_of_the_person_is_remembered_and_one_from_before_is_left_alone(door: Door) -> None:
    door.sign_in()
    door.answer(door.ask())
    [given] = Consent.objects.all()
    door.ask()
    [same] = Consent.objects.all()
    assert same.granted_at == given.granted_at
    asked = PendingAuthorization.objects.order_by("approved_at").values_list("parameters__as_before", flat=True)
    assert list(asked) == [False, True]


def holds_the_browser(sql: str) -> bool:
    return BrowserSession._meta.db_table in sql and "session_data" not in sql


@pytest.mark.parametrize("prompt", [None, "none"])
def test_what_is_taken_back_meanwhile_gives_no_code(door: Door, prompt: str | None) -> None:
    door.sign_in()
    door.answer(door.ask())
    codes = Grant.objects.count()
    with before(holds_the_browser, Consent.objects.all().delete):
        answer = door.ask(prompt=prompt)
    assert Grant.objects.count() == codes
    if prompt:
        assert "error=consent_required" in answer.headers["Location"]
    else:
        assert ticket_of(answer), "the person is asked anew"


def test_what_is_taken_back_before_a_visit_goes_nowhere(door: Door) -> None:
    door.sign_in()
    door.answer(door.ask())
    waiting = PendingAuthorization.objects.count()
    Credential.objects.all().delete()
    with before(lambda sql: Consent._meta.db_table in sql and "granted_at" not in sql, Consent.objects.all().delete):
        answer = door.ask()
    assert answer.status_code == 400
    assert PendingAuthorization.objects.count() == waiting
