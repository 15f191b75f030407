"""`maintenance --loop`: real processes, ended by real signals, over one database that may go away for a moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEvent, BrowserSession, Revocation
from accounts.vault import sealed_counts
from accounts.vault.base import TokenSet
from authserver import cascade
from tests.fakes.oauth2 import FakeOAuth2
from tests.fakes.server import Reply
from tests.harness import processes
from tests.harness.approval import approve, make_client, make_resource
from tests.unit.maintenance.conftest import StartMaintenance, until
from tests.unit.upstream.journeys import provider_at
from upstream.models import Provider

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def over(key: str) -> None:
    BrowserSession.objects.create(session_key=key, session_data="", expire_date=timezone.now() - timedelta(days=2))


def queue(fake: FakeOAuth2, count: int) -> None:
    """So many people's sessions, ended: each has two tokens that the provider is to be told of."""
    provider = provider_at(fake, Provider.Type.OAUTH2, on_session_end="revoke_when_unused",
                           revocation_endpoint=f"{fake.url}/revoke")  # fmt: skip
    client, resource = make_client(), make_resource()
    for number in range(count):
        tokens = TokenSet(f"at-{number}", f"rt-{number}")
        cascade.revoke_session(
            approve(client=client, resource=resource, provider=provider, tokens=tokens).tsid, reason="test"
        )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_works_until_it_is_told_to_end_and_then_ends_well(
    maintenance: StartMaintenance, number: signal.Signals
) -> None:
    over("k")
    sealed_counts.count_stale(now=timezone.now(), limit=10)  # there is nothing else to do
    loop = maintenance("--loop")
    loop.says("browser sessions: 1 deleted")
    assert not BrowserSession.objects.exists()
    assert processes.stop(loop.process, number, patience_seconds=5) == 0
    assert loop.said.splitlines() == [
        "maintenance: running until SIGTERM", "browser sessions: 1 deleted", "maintenance: ended"
    ]  # fmt: skip


def test_what_is_queued_later_is_told_within_seconds(maintenance: StartMaintenance, fake: FakeOAuth2) -> None:
    loop = maintenance("--loop")
    loop.says("running")
    queue(fake, 1)
    loop.says("revocations at providers: 1 done")
    assert fake.revoked == ["rt-0", "at-0"]


def test_the_step_under_way_is_finished_and_no_other_begun(maintenance: StartMaintenance, fake: FakeOAuth2) -> None:
    answer = threading.Event()
    fake.revocation_faults = [Reply(200, body=b"", delay=answer)]
    queue(fake, 3)
    over("k")
    loop = maintenance("--loop")
    until(lambda: fake.requests_to("/revoke"))
    loop.process.send_signal(signal.SIGTERM)
    assert loop.process.poll() is None
    answer.set()
    assert loop.process.wait(10) == 0
    assert set(Revocation.objects.values_list("state", flat=True)) == {"done"}
    assert BrowserSession.objects.exists()  # no other was begun


def test_a_worker_that_is_killed_leaves_its_work_to_the_next(maintenance: StartMaintenance, fake: FakeOAuth2) -> None:
    never = threading.Event()
    fake.revocation_faults = [Reply(200, body=b"", delay=never)]
    queue(fake, 1)
    killed = maintenance("--loop")
    until(lambda: fake.requests_to("/revoke"))
    killed.process.kill()
    killed.process.wait()
    row = Revocation.objects.get()
    assert (row.state, row.attempts) == ("queued", 1)
    Revocation.objects.update(due_at=timezone.now())  # its lease runs out
    maintenance("--loop").says("revocations at providers: 1 done")
    never.set()
    assert Revocation.objects.get().attempts == 2


def test_several_at_once_tell_nobody_twice(maintenance: StartMaintenance, fake: FakeOAuth2) -> None:
    loops = [maintenance("--loop") for _ in range(2)]
    for loop in loops:
        loop.says("running")
    queue(fake, 40)
    until(lambda: Revocation.objects.filter(state="done").count() == 40)
    assert sorted(fake.revoked) == sorted(f"{kind}-{number}" for kind in ("at", "rt") for number in range(40))
    assert AuditEvent.objects.filter(event="upstream.revoked").count() == 40


def test_it_outlives_a_database_that_goes_away(
    maintenance: StartMaintenance, fake: FakeOAuth2, postgres_url: str
) -> None:
    ours = backends()
    loop = maintenance("--loop")
    loop.says("running")
    over("first")
    loop.says("browser sessions: 1 deleted")
    with away(postgres_url, but_for=ours):
        loop.says("revocations at providers: failed")
    assert loop.process.poll() is None
    queue(fake, 1)
    loop.says("revocations at providers: 1 done")


def backends() -> list[int]:
    """The connections to this database that there are now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        return [pid for (pid,) in cursor.fetchall()]


@contextmanager
def away(postgres_url: str, but_for: list[int]) -> Iterator[None]:
    """Nobody gets in, and whoever is in is out, except for these."""
    name = connection.settings_dict["NAME"]
    with psycopg.connect(postgres_url, autocommit=True) as elsewhere:
        elsewhere.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        elsewhere.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> ALL(%s)",
            [name, but_for],
        )
        try:
            yield
        finally:
            elsewhere.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
