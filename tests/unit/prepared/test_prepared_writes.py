"""Writes whose SQL is made once: the rows that the ORM would have written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import BigAutoField, DateTimeField, Model
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEvent, User
from accounts.prepared import slot
from accounts.prepared_writes import PreparedInsert, PreparedUpdate
from authserver.models import Client, Grant, PendingAuthorization
from tests.harness.approval import approve

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
SPENT = PreparedUpdate(
    lambda: Grant.objects.filter(pk=slot("pk", BigAutoField()), claimed_at=None, expires__gt=slot("now", DateTimeField())),
    "claimed_at", "resource", "failed_attempts",
)  # fmt: skip


def columns(row: Model) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def event(**changes: Any) -> AuditEvent:
    return AuditEvent(at=timezone.now(), event="vault.release", outcome="ok", **changes)


def test_a_row_is_what_the_orm_would_have_written() -> None:
    written = [
        event(detail={"why": ["ünïcode", None, 1.5, '"']}, address="2001:db8::1"),
        event(detail={}, user_id=User.objects.create(username="somebody").pk),
    ]
    PreparedInsert(AuditEvent).save_all(written)
    assert [columns(AuditEvent.objects.get(pk=row.pk)) for row in written] == [columns(row) for row in written]
    assert written[0].pk < written[1].pk


def test_a_copy_of_each_kind_of_row_is_the_row() -> None:
    """With what a field does before it is saved: the secret is not hashed twice, and what is to be unique still is."""
    approve()
    for model, own in ((Client, "client_id"), (Grant, "code")):
        row = model.objects.get()
        row.pk, row._state.adding = None, True
        with pytest.raises(IntegrityError), transaction.atomic():
            PreparedInsert(model).save(row)
        setattr(row, own, "another")
        PreparedInsert(model).save(row)
        assert columns(model.objects.get(pk=row.pk)) == columns(row)


def test_a_key_of_our_own_stays() -> None:
    approval = approve()
    row = PendingAuthorization(browser_hash="b" * 64, client=approval.client, resource=approval.resource, parameters={},
                               approved_at=timezone.now(), expires_at=timezone.now())  # fmt: skip
    key = row.pk
    PreparedInsert(PendingAuthorization).save(row)
    assert PendingAuthorization.objects.get().pk == key


def test_no_rows_are_no_statement_and_several_are_one() -> None:
    insert = PreparedInsert(AuditEvent)
    with CaptureQueriesContext(connection) as captured:
        insert.save_all([])
        insert.save_all([event(), event(), event()])
    assert len(captured) == 1
    assert AuditEvent.objects.count() == 3


def test_a_row_written_is_no_new_row() -> None:
    row = event()
    PreparedInsert(AuditEvent).save(row)
    with pytest.raises(TypeError, match="not changed"):
        row.save()


def test_a_transaction_that_it_failed_in_is_not_committed() -> None:
    person = User.objects.create(username="somebody")
    again = User(pk=person.pk, username="somebody-else")
    with transaction.atomic():
        User.objects.create(username="lost")
        with pytest.raises(IntegrityError):
            PreparedInsert(User).save(again)
        assert transaction.get_rollback()
    assert not User.objects.filter(username="lost").exists()


def test_an_update_takes_each_value_and_says_how_many() -> None:
    approve()
    grant, now = Grant.objects.get(), timezone.now()
    spent = {"pk": grant.pk, "claimed_at": now, "resource": ["https://mcp.example/ü"], "failed_attempts": 3}
    assert SPENT.run(**spent, now=now + timedelta(days=1)) == 0
    assert SPENT.run(**spent, now=now) == 1
    assert SPENT.run(**spent, now=now) == 0
    found = Grant.objects.get()
    assert (found.claimed_at, found.resource, found.failed_attempts) == (now, ["https://mcp.example/ü"], 3)


def test_an_update_can_write_null() -> None:
    approve()
    grant, now = Grant.objects.get(), timezone.now()
    assert SPENT.run(pk=grant.pk, claimed_at=None, resource=[], failed_attempts=0, now=now) == 1
    assert Grant.objects.get().claimed_at is None


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        SPENT.run(pk=1, now=timezone.now())
