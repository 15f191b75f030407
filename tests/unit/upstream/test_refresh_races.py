"""Many callers at once, leases left behind, sign-ins in between: one refresh, and nothing lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import AuditEvent, Credential
from accounts.vault import vault
from accounts.vault.base import TokenSet
from tests.fakes.oauth2 import FakeOAuth2, Grant
from tests.fakes.server import Reply
from tests.unit.upstream.held import SCOPES, START, Clock, Held
from upstream.errors import NeedsReauthorization, TemporarilyUnavailable
from upstream.refresh import Fresh, fresh_tokens

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def in_parallel(count: int, call: Callable[[], Any]) -> list[Any]:
    """The results (or exceptions) of so many callers who start together."""
    together = threading.Barrier(count)

    def one(_: int) -> Any:
        together.wait()
        try:
            return call()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_refreshes_and_all_get_its_result(fake: FakeOAuth2) -> None:
    held = Held(fake)
    now = START + timedelta(hours=1)
    results = in_parallel(24, lambda: fresh_tokens(held.tsid, held.provider, now=now))
    assert {getattr(result, "access_token", result) for result in results} == {held.stored(lambda: now).access_token}  # type: ignore[arg-type]  # a clock is what is called
    assert len(fake.requests_to("/token")) == 1
    assert held.row.version == 2


@pytest.mark.django_db(transaction=True)
def test_sessions_that_share_a_credential_share_its_refresh(fake: FakeOAuth2) -> None:
    held = Held(fake)
    tsids = iter([held.open() for _ in range(8)])
    now = START + timedelta(hours=1)
    lock = threading.Lock()

    def call() -> Fresh:
        with lock:
            tsid = next(tsids)
        return fresh_tokens(tsid, held.provider, now=now)

    assert len({result.access_token for result in in_parallel(8, call)}) == 1
    assert len(fake.requests_to("/token")) == 1


@pytest.mark.django_db(transaction=True)
def test_a_refused_refresh_is_asked_for_once_by_many(fake: FakeOAuth2) -> None:
    held = Held(fake)
    fake.refresh_tokens.clear()
    now = START + timedelta(hours=1)
    results = in_parallel(12, lambda: fresh_tokens(held.tsid, held.provider, now=now))
    assert {type(result) for result in results} == {NeedsReauthorization}
    assert len(fake.requests_to("/token")) == 1
    assert AuditEvent.objects.filter(event="upstream.credential_died").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_failure_leaves_the_way_free_for_the_next(fake: FakeOAuth2) -> None:
    """The first call fails; a late comer, told by nobody, takes over and succeeds."""
    held = Held(fake)
    fake.faults = [Reply(503, {})]
    now = START + timedelta(hours=1)
    results = in_parallel(6, lambda: fresh_tokens(held.tsid, held.provider, now=now))
    failed = [result for result in results if isinstance(result, TemporarilyUnavailable)]
    assert len(failed) == 1
    assert len({result.access_token for result in results if isinstance(result, Fresh)}) == 1
    assert len(fake.requests_to("/token")) == 2


@pytest.mark.django_db(transaction=True)
def test_a_slow_refresh_is_waited_for_without_a_lock_on_the_row(fake: FakeOAuth2) -> None:
    held = Held(fake)
    gate = threading.Event()
    fake.faults = [Reply(200, fake.issue(Grant(list(SCOPES)), refresh=True), delay=gate)]
    now = START + timedelta(hours=1)
    with ThreadPoolExecutor(2) as pool:

        def call() -> Fresh:
            try:
                return fresh_tokens(held.tsid, held.provider, now=now)
            finally:
                connection.close()

        waiting = [pool.submit(call) for _ in range(2)]
        while not fake.requests_to("/token"):
            time.sleep(0.01)
        # The provider is being asked, and the row can be written all the same.
        assert Credential.objects.filter(pk=held.credential_id).update(signed_in_at=now) == 1
        gate.set()
        assert len({future.result().access_token for future in waiting}) == 1
    assert len(fake.requests_to("/token")) == 1


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_a_provider_keeps_no_connection_from_others(postgres_url: str, fake: FakeOAuth2) -> None:
    """Neither who asks it nor who waits for the one that asks."""
    held = Held(fake)
    gate = threading.Event()
    fake.faults = [Reply(200, fake.issue(Grant(list(SCOPES)), refresh=True), delay=gate)]
    connection.close()
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(one_of_its_own, held) for _ in range(2)]
        until(lambda: bool(fake.requests_to("/token")))
        until(lambda: in_use() == 0)
        assert not any(future.done() for future in asked)
        gate.set()
        assert len({future.result().access_token for future in asked}) == 1


def one_of_its_own(held: Held) -> Fresh:
    try:
        return fresh_tokens(held.tsid, held.provider, now=START + timedelta(hours=1))
    finally:
        connection.close()


def in_use() -> int:
    """How many connections the pool has given out."""
    figures: dict[str, int] = connection.pool.get_stats()  # type: ignore[attr-defined]  # PostgreSQL's
    return figures["pool_size"] - figures["pool_available"]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def leased(held: Held, until: datetime) -> None:
    """Somebody else is refreshing, or died doing it."""
    assert vault().credentials.lease(
        held.credential_id, version_seen=held.row.version, holder="somebody", until=until, now=START
    )


def test_a_lease_left_behind_runs_out_and_another_takes_over(fake: FakeOAuth2, clock: Clock) -> None:
    held = Held(fake)
    clock.to(hours=1)
    leased(held, until=clock() + timedelta(seconds=5))
    assert held.fresh(clock).access_token != held.tokens.access_token
    assert clock() >= START + timedelta(hours=1, seconds=5)
    assert len(fake.requests_to("/token")) == 1


def test_waiting_has_an_end(fake: FakeOAuth2, clock: Clock) -> None:
    held = Held(fake)
    clock.to(hours=1)
    leased(held, until=clock() + timedelta(hours=1))
    with pytest.raises(TemporarilyUnavailable, match="refresh_under_way"):
        held.fresh(clock)
    assert clock() - START - timedelta(hours=1) < timedelta(seconds=13)
    assert fake.seen == []


def test_who_waited_in_vain_gets_what_is_left(fake: FakeOAuth2, clock: Clock) -> None:
    held = Held(fake)
    clock.to(seconds=3600 - 50)
    leased(held, until=clock() + timedelta(hours=1))
    assert held.fresh(clock).access_token == held.tokens.access_token


def test_a_sign_in_during_a_refresh_wins(fake: FakeOAuth2, clock: Clock) -> None:
    """Its tokens are newer; the refresh's are dropped, and the caller gets the sign-in's."""
    held = Held(fake)
    newer = TokenSet("of-the-sign-in", "r2", scopes=SCOPES, expires_at=START + timedelta(hours=3))
    clock.to(hours=1)
    real_replace = vault().credentials.replace

    def replace(*args: Any, **kwargs: Any) -> bool:
        held.keep(newer)
        return real_replace(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vault().credentials, "replace", replace)
        assert held.fresh(clock).access_token == "of-the-sign-in"
    assert held.row.state == Credential.State.LIVE


def test_an_unexpected_error_gives_the_lease_back(fake: FakeOAuth2, clock: Clock) -> None:
    held = Held(fake)
    clock.to(hours=1)
    with pytest.MonkeyPatch.context() as patch:

        def stop(*args: Any, **kwargs: Any) -> Any:
            raise SystemExit

        patch.setattr("upstream.refresh.refresh", stop)
        with pytest.raises(SystemExit):
            held.fresh(clock)
    assert held.row.lease_until is None
    assert held.fresh(clock).access_token != held.tokens.access_token


def test_a_secret_of_ours_that_does_not_open_is_an_operators_matter(fake: FakeOAuth2, clock: Clock) -> None:
    held = Held(fake)
    held.provider.client_secret_sealed = held.provider.client_secret_sealed[:-4] + "AAAA"
    clock.to(hours=1)
    with pytest.raises(TemporarilyUnavailable, match="client_secret_unreadable"):
        held.fresh(clock)
    assert held.row.state == Credential.State.LIVE
