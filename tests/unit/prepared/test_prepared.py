"""Reads whose SQL is made once: the same rows as the ORM's own, for every value, in every thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import DateTimeField, Exists, OuterRef
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Link, TokenSession, User
from accounts.prepared import Prepared, slot
from authserver.models import Grant
from tests.harness.approval import approve, make_provider, make_resource

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def columns(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_it_gives_the_rows_that_the_orm_gives_with_all_that_is_joined() -> None:
    approvals = [approve(nonce="one"), approve(nonce="two", resource=make_resource("https://other.example.com/mcp"))]
    rows = Grant.objects.select_related("application__app", "user", "audience")
    prepared: Prepared[Grant] = Prepared(lambda: rows.filter(tsid=slot("tsid")))
    for approval in approvals:
        own, theirs = prepared.first(tsid=approval.tsid), rows.get(tsid=approval.tsid)
        assert own is not None
        with CaptureQueriesContext(connection) as captured:
            for path in ("application", "user", "audience"):
                assert columns(getattr(own, path)) == columns(getattr(theirs, path))
            assert columns(own.application.app) == columns(theirs.application.app)
            assert columns(own) == columns(theirs)
        assert not captured.captured_queries


def test_it_sends_one_statement_and_finds_nothing_where_there_is_nothing() -> None:
    prepared: Prepared[Grant] = Prepared(lambda: Grant.objects.filter(tsid=slot("tsid")))
    with CaptureQueriesContext(connection) as captured:
        assert prepared.first(tsid="nobody's") is None
    assert len(captured) == 1


def test_the_query_is_made_once() -> None:
    made = []

    def queryset() -> Any:
        made.append(1)
        return User.objects.filter(username=slot("name"))

    prepared: Prepared[User] = Prepared(queryset)
    assert [prepared.all(name=name) for name in "abc"] == [[], [], []]
    assert made == [1]


def test_values_are_told_to_the_database_as_their_field_has_them() -> None:
    """A moment is text on SQLite; a subquery and a list of values have their slots too."""
    tsid = approve(provider=make_provider()).tsid
    prepared: Prepared[str] = Prepared(
        lambda: TokenSession.objects.filter(
            Exists(Link.objects.filter(session=OuterRef("pk"), provider=slot("provider"))),
            expires_at__gt=slot("now", DateTimeField()),
            tsid__in=[slot("one"), slot("another")],
        ).values_list("tsid", flat=True)
    )
    given = {"provider": "github", "one": "nobody's", "another": tsid}
    assert prepared.all(now=timezone.now(), **given) == [tsid]
    assert prepared.all(now=timezone.now() + timedelta(days=91), **given) == []
    assert prepared.all(now=timezone.now(), **{**given, "provider": "gitlab"}) == []


@pytest.mark.django_db(transaction=True)
def test_threads_do_not_see_each_others_values() -> None:
    people = [User.objects.create(username=f"person-{number}") for number in range(8)]
    prepared: Prepared[User] = Prepared(lambda: User.objects.filter(username=slot("name")))

    def look(user: User) -> bool:
        try:
            return all(prepared.all(name=user.username) == [user] for _ in range(25))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(look, people))


def test_a_value_that_is_missing_is_an_error() -> None:
    prepared: Prepared[User] = Prepared(lambda: User.objects.filter(username=slot("name")))
    with pytest.raises(KeyError):
        prepared.all(nme="a")
