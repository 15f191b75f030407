"""The queue: what is told, when again, until when, and what comes between. Nobody is told twice."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import structlog
from django.db import connection

from accounts.models import AuditEvent, Credential, Revocation, User
from accounts.vault import vault
from accounts.vault.base import TokenSet
from tests.fakes.oauth2 import FakeOAuth2
from tests.fakes.server import Reply
from tests.unit.upstream.ended import end, ended, receipt
from tests.unit.upstream.held import SCOPES, START, Clock
from upstream import identities, revoke
from upstream.models import Provider
from upstream.revoke import MAX_ATTEMPTS, providers_to_tell, work_queue

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def test_only_those_that_say_so_are_told(fake: FakeOAuth2) -> None:
    ended(fake, on_session_end=Provider.SessionEnd.KEEP)
    assert providers_to_tell() == frozenset()
    assert not Revocation.objects.exists()
    assert work_queue(now=START, limit=10) == {}


def test_a_finished_revocation_leaves_a_receipt_and_an_audit_event(fake: FakeOAuth2) -> None:
    held = ended(fake)
    work_queue(now=START + MINUTE, limit=10)
    row, event = Revocation.objects.get(), AuditEvent.objects.get(event="upstream.revoked")
    assert (row.state, row.outcome, row.attempts, row.finished_at) == ("done", "revoked", 1, START + MINUTE)
    assert (row.sealed_tokens, row.tsid, row.subject) == ("", held.tsid, "1001")
    assert (event.outcome, event.reason, event.user_id, event.tsid) == ("ok", "revoked", held.user.id, held.tsid)
    assert (event.upstream, event.at, event.detail) == ("fake", START + MINUTE, {"attempts": 1})
    assert not Credential.objects.exists()
    assert work_queue(now=START + 24 * HOUR, limit=10) == {}


def test_no_token_gets_into_a_log_or_the_trail(fake: FakeOAuth2) -> None:
    fake.revocation_faults = [Reply(500, {"error": "CANARY"})]
    with structlog.testing.capture_logs() as logs:
        ended(fake)
        for minutes in (0, 5):
            work_queue(now=START + minutes * MINUTE, limit=10)
    assert {line["event"] for line in logs} >= {"upstream.revoke", "upstream.revoked"}
    assert "CANARY" not in str(logs)
    assert "CANARY" not in str(list(AuditEvent.objects.values()) + list(Revocation.objects.values()))


def test_the_pause_doubles_up_to_six_hours(fake: FakeOAuth2, clock: Clock) -> None:
    fake.revocation_faults = [Reply(503, {})] * 12
    ended(fake)
    pauses = []
    for _ in range(12):
        assert work_queue(now=clock, limit=10) == {"postponed": 1}
        due_at = Revocation.objects.get().due_at
        pauses.append(due_at - clock())
        clock.moment = due_at
    expected = [min(MINUTE * 2**index, 6 * HOUR) for index in range(12)]
    assert all(least <= pause <= least * 1.1 for least, pause in zip(expected, pauses, strict=True)), pauses
    assert len({pause / least for least, pause in zip(expected, pauses, strict=True)}) > 1, "without jitter"
    assert work_queue(now=clock, limit=10) == {"done": 1}


def test_it_is_given_up_loudly_after_about_a_week(fake: FakeOAuth2, clock: Clock) -> None:
    fake.revocation_faults = [Reply(503, {})] * 100
    ended(fake)
    with structlog.testing.capture_logs() as logs:
        while Revocation.objects.filter(state="queued").exists():
            clock.moment = max(clock.moment, Revocation.objects.get().due_at)
            work_queue(now=clock, limit=10)
    assert timedelta(days=6) < clock() - START < timedelta(days=8)
    assert receipt() == ("failed", "http_503")
    assert Revocation.objects.get().sealed_tokens == ""
    event = AuditEvent.objects.get(event="upstream.revoked")
    assert (event.outcome, event.reason, event.detail) == ("failed", "http_503", {"attempts": MAX_ATTEMPTS})
    assert [line["reason"] for line in logs if line["log_level"] == "warning"] == ["http_503"]


def test_a_provider_that_is_gone_needs_no_telling(fake: FakeOAuth2) -> None:
    ended(fake)
    Provider.objects.all().delete()
    assert work_queue(now=START, limit=10) == {"not_needed": 1}
    assert receipt() == ("not_needed", "provider_gone")


def test_a_name_keeps_its_meaning_while_tokens_are_on_their_way_there(fake: FakeOAuth2) -> None:
    """Or another provider of that name would be sent them."""
    ended(fake)
    assert identities.any_known("fake")
    work_queue(now=START, limit=10)
    assert not identities.any_known("fake")


def test_a_provider_that_is_disabled_is_told_when_it_is_back(fake: FakeOAuth2) -> None:
    ended(fake)
    Provider.objects.update(enabled=False)
    assert work_queue(now=START, limit=10) == {"postponed": 1}
    assert receipt() == ("queued", "provider_disabled")
    assert Revocation.objects.get().due_at >= START + 6 * HOUR
    assert fake.seen == []
    Provider.objects.update(enabled=True)
    assert work_queue(now=START + 7 * HOUR, limit=10) == {"done": 1}


@pytest.mark.parametrize(
    ("subject", "dead", "outcome"),
    [
        ("1001", False, ("not_needed", "connected_again")),
        ("1001", True, ("done", "revoked")),
        ("another account", False, ("done", "revoked")),
    ],
)
def test_an_account_that_was_connected_again_is_left_alone(
    fake: FakeOAuth2, subject: str, dead: bool, outcome: tuple[str, str]
) -> None:
    held = ended(fake)
    new = TokenSet("CANARY-new", "CANARY-new-too", scopes=SCOPES)
    state = vault().credentials.keep(held.user.id, "fake", subject, new, now=START)
    if dead:
        vault().credentials.mark_dead(state.id, version_seen=state.version, reason="refused", now=START)
    work_queue(now=START, limit=10)
    assert receipt() == outcome
    assert bool(fake.seen) == (outcome[0] == "done")
    assert [credential.id for credential in vault().credentials.of_user(held.user.id)] == [state.id]


def test_what_was_claimed_and_never_finished_is_taken_up_after_the_lease(fake: FakeOAuth2) -> None:
    """A worker that was killed: before it told the provider, or after."""
    held = ended(fake)
    assert vault().revocations.claim(now=START, until=START + revoke.LEASE, limit=1)
    assert work_queue(now=START + revoke.LEASE - MINUTE, limit=10) == {}
    fake.end_grant(str(held.tokens.refresh_token))
    assert work_queue(now=START + revoke.LEASE, limit=10) == {"done": 1}
    assert Revocation.objects.get().attempts == 2


def test_what_kills_every_worker_is_given_up_too(fake: FakeOAuth2) -> None:
    ended(fake)
    Revocation.objects.update(attempts=MAX_ATTEMPTS)
    assert work_queue(now=START, limit=10) == {"failed": 1}
    assert receipt() == ("failed", "never_finished")
    assert fake.seen == []


def test_an_error_of_ours_stops_nothing_for_good(fake: FakeOAuth2, monkeypatch: pytest.MonkeyPatch) -> None:
    ended(fake)

    def stop(*args: Any, **kwargs: Any) -> Any:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(revoke, "tell", stop)
        with pytest.raises(SystemExit):
            work_queue(now=START, limit=10)
    assert work_queue(now=START + revoke.LEASE, limit=10) == {"done": 1}


def test_tokens_that_do_not_open_end_as_failed_and_hold_nobody_up(fake: FakeOAuth2) -> None:
    ended(fake)
    Revocation.objects.update(sealed_tokens="planted")
    work_queue(now=START, limit=10)
    assert receipt() == ("failed", "damaged")
    assert fake.seen == []


def many(fake: FakeOAuth2, count: int, **fields: Any) -> None:
    """So many ended sessions of as many people."""
    first = ended(fake, **fields)
    for number in range(1, count):
        held = copy.copy(first)
        held.user, held.subject = User.objects.create(username=f"{number}"), f"subject-{number}"
        held.keep(TokenSet(f"CANARY-AT-{number}", f"CANARY-RT-{number}", scopes=SCOPES))
        held.tsid = held.open()
        end(held)


def test_no_more_than_the_limit_is_worked_off_oldest_first(fake: FakeOAuth2) -> None:
    many(fake, 5)
    assert work_queue(now=START, limit=3) == {"done": 3}
    assert work_queue(now=START, limit=3) == {"done": 2}


def test_a_provider_that_is_down_is_asked_once_a_run_and_holds_up_nobody(fake: FakeOAuth2) -> None:
    many(fake, 3)
    with FakeOAuth2() as other:
        ended(other, subject="2002", name="other")
        fake.revocation_faults = [Reply(503, {}, headers={"Retry-After": "600"})] * 5
        assert work_queue(now=START, limit=10) == {"postponed": 3, "done": 1}
        assert len(other.revoked) == 2
    assert len(fake.requests_to("/revoke")) == 1
    assert all(row.due_at >= START + 10 * MINUTE for row in Revocation.objects.filter(provider="fake"))
    assert work_queue(now=START + 20 * MINUTE, limit=10) == {"postponed": 3}


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_never_tell_a_provider_twice(fake: FakeOAuth2) -> None:
    many(fake, 24)
    together = threading.Barrier(4)

    def work(_: int) -> Counter[str]:
        together.wait()
        try:
            return work_queue(now=START, limit=24)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(work, range(4)))
    assert sum(counts, Counter()) == {"done": 24}
    assert len(fake.revoked) == len(set(fake.revoked)) == 48
    assert AuditEvent.objects.filter(event="upstream.revoked").count() == 24
    assert set(Revocation.objects.values_list("attempts", flat=True)) == {1}
