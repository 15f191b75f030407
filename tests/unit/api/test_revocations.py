"""The feed of ended sessions: what a gateway that checks tokens offline has to drop, told once there is something."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import TokenSession
from authserver import cascade
from authserver.api import revocations
from authserver.models import Resource
from tests.harness.approval import (
    RESOURCE_SERVER_SECRET,
    Approval,
    approve,
    make_client,
    make_resource,
    make_resource_server,
)

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def resource() -> Resource:
    made = make_resource()
    make_resource_server(made)
    return made


def ask(server: str = "rs-a", headers: dict[str, str] | None = None, **query: str) -> Any:
    form = urlencode({"client_id": server, "client_secret": RESOURCE_SERVER_SECRET})
    return Http().post(f"/api/v1/revocations?{urlencode(query)}", form, content_type=FORM, headers=headers or {})


def told(answer: Any) -> set[str]:
    assert answer.status_code == 200, answer.content
    return {one["tsid"] for one in answer.json()["revocations"]}


def opened(resource: Resource, count: int = 1) -> list[Approval]:
    client = make_client()
    return [approve(client=client, resource=resource) for _ in range(count)]


def end(*approvals: Approval) -> set[str]:
    for approval in approvals:
        cascade.revoke_session(approval.tsid, reason="x")
    return {approval.tsid for approval in approvals}


def test_what_has_ended_is_told_and_then_what_has_ended_since(resource: Resource) -> None:
    first, second, _still_open = opened(resource, 3)
    begin = ask()
    assert told(begin) == set()
    end(first)
    answer = ask(since=begin.json()["next"])
    assert told(answer) == {first.tsid}
    assert answer.json()["keep_for_seconds"] == 3600
    nothing = ask(since=answer.json()["next"])
    assert told(nothing) == set()
    end(second)
    assert second.tsid in told(ask(since=nothing.json()["next"]))


def test_whoever_begins_later_hears_of_all_that_may_still_verify(resource: Resource) -> None:
    recent, old = opened(resource, 2)
    end(recent, old)
    TokenSession.objects.filter(tsid=old.tsid).update(closed_at=timezone.now() - timedelta(seconds=3601))
    assert told(ask()) == {recent.tsid}
    Resource.objects.update(access_token_lifetime_seconds=7200)
    answer = ask()
    assert told(answer) == {recent.tsid, old.tsid}
    assert answer.json()["keep_for_seconds"] == 7200


def test_one_that_is_committed_late_is_not_missed(resource: Resource) -> None:
    """It notes its moment before it commits: a poller may have been told of a later one by then."""
    late, early = opened(resource, 2)
    end(early)
    cursor = ask().json()["next"]
    end(late)
    TokenSession.objects.filter(tsid=late.tsid).update(closed_at=timezone.now() - timedelta(seconds=3))
    answer = ask(since=cursor)
    assert late.tsid in told(answer)
    assert told(ask(since=answer.json()["next"])) == set()


def test_each_hears_of_its_own_resources_only(resource: Resource) -> None:
    other = make_resource("https://other.example/mcp")
    make_resource_server(other, "rs-b")
    [own], [theirs] = opened(resource), opened(other)
    end(own, theirs)
    assert told(ask()) == {own.tsid}
    assert told(ask("rs-b")) == {theirs.tsid}
    assert ask("nobody").status_code == 401


def test_more_than_one_answer_holds_are_told_in_several(resource: Resource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocations, "LIMIT", 2)
    ended = end(*opened(resource, 5))
    found: set[str] = set()
    answer = ask()
    for _ in range(6):
        found |= told(answer)
        answer = ask(since=answer.json()["next"])
    assert found == ended


def test_nothing_new_is_a_304(resource: Resource) -> None:
    [approval] = opened(resource)
    end(approval)
    answer = ask()
    again = ask(since=answer.json()["next"], headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", answer["ETag"])


@pytest.mark.parametrize(
    "query", [{"since": "x"}, {"since": "1.2"}, {"since": "9" * 30 + ".0" * 8}, {"wait": "26"}, {"wait": "-1"},
              {"wait": "x"}, {"since": "\x00"}, {"since": "9" * 17 + "." + "f" * 16}]
)  # fmt: skip
def test_bad_queries_are_refused_or_tell_nothing(query: dict[str, str], resource: Resource) -> None:
    answer = ask("rs-a", {}, **query)
    assert answer.status_code == 400 or told(answer) == set()


def test_it_takes_three_statements(resource: Resource) -> None:
    ask()
    with CaptureQueriesContext(connection) as captured:
        ask()
    assert len(captured) <= 4  # the caller, its resources, the longest token, what has ended


@pytest.mark.django_db(transaction=True)
def test_whoever_waits_hears_of_it_as_soon_as_it_happens(resource: Resource) -> None:
    [approval] = opened(resource)
    cursor = ask().json()["next"]
    heard: dict[str, Any] = {}

    def wait() -> None:
        try:
            heard["told"] = told(ask(since=cursor, wait="20"))
            heard["at"] = time.monotonic()
        finally:
            connection.close()

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not revocations._waiting._value < revocations._waiting._initial_value:  # type: ignore[attr-defined]  # it waits
        time.sleep(0.01)
    end(approval)
    ended_at = time.monotonic()
    waiting.join(20)
    assert heard["told"] == {approval.tsid}
    assert heard["at"] - ended_at < 5


@pytest.mark.django_db(transaction=True)
def test_where_nobody_can_wait_the_answer_comes_at_once_and_says_when_to_ask(resource: Resource) -> None:
    cursor = ask().json()["next"]
    while revocations._waiting.acquire(blocking=False):
        pass
    try:
        with ThreadPoolExecutor(1) as threads:
            answer = threads.submit(ask, since=cursor, wait="20").result(10)
            threads.submit(lambda: connection.close()).result(10)  # noqa: PLW0108 - that of its own thread
    finally:
        for _ in range(revocations._waiting._initial_value):  # type: ignore[attr-defined]
            revocations._waiting.release()
    assert (answer.status_code, answer["Retry-After"]) == (200, "1")


def test_waiting_ends_with_its_time() -> None:
    clock = [0.0]
    found, waited = revocations.wait_for(
        list, seconds=3, sleep=lambda seconds: clock.__setitem__(0, clock[0] + seconds), monotonic=lambda: clock[0]
    )
    assert (list(found), waited, clock[0]) == ([], True, 3.0)


class Enough(Exception):
    """The loop of the documentation has no end of its own."""


@pytest.mark.django_db(transaction=True)
def test_the_ten_lines_of_the_documentation_follow_it(resource: Resource) -> None:
    page = (Path(__file__).parents[3] / "docs" / "revocation.md").read_text()
    [lines] = re.findall(r"```python\n(.+?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(lines, names)  # noqa: S102 - our own documentation
    first, second = opened(resource, 2)
    end(first)
    before: Iterator[Callable[[], object]] = iter([lambda: None, lambda: end(second)])

    def ask_again(request: httpx.Request) -> None:
        if (what := next(before, None)) is None:
            raise Enough
        what()

    with (
        httpx.Client(
            transport=httpx.WSGITransport(WSGIHandler()),
            base_url="http://localhost:8000",
            auth=("rs-a", RESOURCE_SERVER_SECRET),
            event_hooks={"request": [ask_again]},
        ) as http,
        pytest.raises(Enough),
    ):
        names["follow"](http)
    assert names["ended"] == {first.tsid, second.tsid}
