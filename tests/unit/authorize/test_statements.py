"""What an authorization sends to the database where nobody has to be asked, without BEGIN and COMMIT."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from authserver.models import Consent, PendingAuthorization
from tests.unit.authorize.conftest import Door

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
TRANSACTION = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


def test_what_was_approved_before_takes_at_most_sixteen_and_looks_at_the_consent_once(door: Door) -> None:
    door.sign_in()
    assert door.answer(door.ask()).status_code in {200, 302}
    door.ask()  # whatever is read once a process
    with CaptureQueriesContext(connection) as captured:
        answer = door.ask()
    assert "code=" in answer.headers["Location"]
    sent = [query["sql"] for query in captured if not query["sql"].upper().startswith(TRANSACTION)]
    assert len(sent) <= 16, sent
    assert len([sql for sql in sent if Consent._meta.db_table in sql]) == 1


def test_an_answer_of_the_person_is_remembered_and_one_from_before_is_left_alone(door: Door) -> None:
    door.sign_in()
    door.answer(door.ask())
    [given] = Consent.objects.all()
    door.ask()
    [same] = Consent.objects.all()
    assert same.granted_at == given.granted_at
    asked = PendingAuthorization.objects.order_by("approved_at").values_list("parameters__as_before", flat=True)
    assert list(asked) == [False, True]
