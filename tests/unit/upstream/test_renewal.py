"""Refreshing before a refresh token ends unused: whose, when, how often, and what becomes of failures."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import AuditEvent, Credential, User
from accounts.vault import vault
from accounts.vault.base import TokenSet
from tests.fakes.oauth2 import FakeOAuth2, Grant
from tests.fakes.server import Reply
from tests.unit.upstream.held import SCOPES, START, Clock, Held
from upstream.models import Provider
from upstream.renewal import ENOUGH, renew_expiring

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SOON = START + 9 * DAY + HOUR
"""The access token has an hour more than it needs, the refresh token 23 hours."""


class Ending(FakeOAuth2):
    """Its refresh tokens end after ten days, and it says so as Keycloak does."""

    expires_in = 10 * 86400
    refresh_expires_in: Any = 10 * 86400

    def token_answer(self, grant: Grant, tokens: dict[str, Any]) -> dict[str, Any]:
        return {**tokens, "refresh_expires_in": self.refresh_expires_in}


@pytest.fixture
def fake() -> Iterator[Ending]:
    with Ending() as fake:
        yield fake


def more(first: Held, number: int) -> Held:
    """Another person's session at the same provider, ending an hour later each."""
    held = copy.copy(first)
    held.user, held.subject = User.objects.create(username=f"{number}"), f"subject-{number}"
    answer = first.fake.issue(Grant(list(SCOPES)), refresh=True)
    end = START + 10 * DAY + timedelta(minutes=number)
    held.keep(TokenSet(answer["access_token"], answer["refresh_token"], scopes=SCOPES, expires_at=end,
                       refresh_expires_at=end, obtained_at=START))  # fmt: skip
    held.tsid = held.open()
    return held


def test_one_that_would_end_unused_is_renewed_although_its_access_token_is_fresh(fake: Ending, clock: Clock) -> None:
    held = Held(fake)
    assert renew_expiring(now=SOON, limit=10) == {"renewed": 1}
    clock.moment = SOON
    stored = held.stored(clock)
    assert list(fake.refresh_tokens) == [stored.refresh_token] != [held.tokens.refresh_token]
    assert stored.refresh_expires_at is not None
    assert SOON + 10 * DAY <= stored.refresh_expires_at < SOON + 10 * DAY + HOUR
    assert held.row.lease_until is None
    assert renew_expiring(now=SOON + HOUR, limit=10) == {}
    assert len(fake.requests_to("/token")) == 1


@pytest.mark.parametrize(
    ("lifetime", "at", "renewed"),
    [
        (10 * DAY, 9 * DAY - HOUR, False),  # more than a day left
        (10 * DAY, 9 * DAY + HOUR, True),
        (10 * DAY, 10 * DAY + HOUR, False),  # over: nothing to be done
        (DAY, 11 * HOUR, False),  # more than half its life left
        (DAY, 13 * HOUR, True),
        (HOUR, HOUR / 3, False),
        (HOUR, HOUR * 2 / 3, True),
    ],
)
def test_a_day_ahead_or_half_its_life(fake: Ending, lifetime: timedelta, at: timedelta, renewed: bool) -> None:
    fake.refresh_expires_in = lifetime.total_seconds()
    Held(fake)
    assert renew_expiring(now=START + at, limit=10) == ({"renewed": 1} if renewed else {})


@pytest.mark.parametrize("never", [0, "0", -1, None])
def test_a_refresh_token_without_an_end_is_left_alone(fake: Ending, never: Any) -> None:
    fake.refresh_expires_in = never
    held = Held(fake)
    assert held.tokens.refresh_expires_at is None
    assert renew_expiring(now=SOON, limit=10) == {}


def test_one_unused_since_its_last_refresh_is_left_to_end(fake: Ending, clock: Clock) -> None:
    """Or what nobody uses would live for ever by its own renewals."""
    held = Held(fake)
    assert renew_expiring(now=SOON, limit=10) == {"renewed": 1}
    later = SOON + 9 * DAY + HOUR
    assert renew_expiring(now=later, limit=10) == {}
    vault().sessions.touch(held.tsid, idle_expires_at=later + DAY, now=later)
    assert renew_expiring(now=later, limit=10) == {"renewed": 1}


def end_session(held: Held) -> None:
    vault().sessions.close(held.tsid, reason="test", now=START)


def deactivate(held: Held) -> None:
    User.objects.update(is_active=False)


def disable(held: Held) -> None:
    Provider.objects.update(enabled=False)


def lease(held: Held) -> None:
    assert vault().credentials.lease(
        held.credential_id, version_seen=1, holder="somebody", until=SOON + HOUR, now=START
    )


@pytest.mark.parametrize("change", [end_session, deactivate, disable, lease])
def test_what_nobody_may_use_is_left_alone(fake: Ending, change: Any) -> None:
    change(Held(fake))
    assert renew_expiring(now=SOON, limit=10) == {}
    assert fake.seen == []


def test_a_refused_one_is_dead_once_and_said_so(fake: Ending) -> None:
    held = Held(fake)
    fake.refresh_tokens.clear()
    assert renew_expiring(now=SOON, limit=10) == {"needing_a_new_sign_in": 1}
    assert (held.row.state, held.row.dead_reason) == (Credential.State.DEAD, "refused_by_provider")
    event = AuditEvent.objects.get(event="upstream.credential_died")
    assert (event.tsid, event.upstream) == (held.tsid, "fake")
    assert renew_expiring(now=SOON, limit=10) == {}
    assert len(fake.requests_to("/token")) == 1


def test_a_provider_that_fails_is_asked_once_a_run_and_hides_no_other(fake: Ending) -> None:
    first = Held(fake)
    for number in (1, 2, 3):
        more(first, number)
    with Ending() as other:
        late = Held(other, subject="2002", name="other")
        Credential.objects.filter(pk=late.credential_id).update(refresh_expires_at=START + 10 * DAY)
        fake.faults = [Reply(503, {})]
        assert renew_expiring(now=SOON, limit=2) == {"postponed": 1, "renewed": 1}
        assert len(other.requests_to("/token")) == len(fake.requests_to("/token")) == 1
    left = Credential.objects.filter(provider="fake")
    assert set(left.values_list("state", "version", "lease_until")) == {("live", 1, None)}
    assert renew_expiring(now=SOON, limit=10) == {"renewed": 4}  # the next run


def test_no_more_than_the_limit_and_the_first_to_end_first(fake: Ending) -> None:
    held = Held(fake)
    last = more(held, 1)
    assert renew_expiring(now=SOON, limit=1) == {"renewed": 1}
    assert list(Credential.objects.filter(version=1).values_list("pk", flat=True)) == [last.credential_id]


def test_a_run_has_an_end_also_where_every_answer_is_slow(clock: Clock) -> None:
    class Slow(Ending):
        def token_answer(self, grant: Grant, tokens: dict[str, Any]) -> dict[str, Any]:
            clock.moment += ENOUGH * 1.1
            return super().token_answer(grant, tokens)

    with Slow() as slow:
        more(Held(slow), 1)
        clock.moment = SOON
        assert renew_expiring(now=clock, limit=10) == {"renewed": 1}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("extends", [True, False])
def test_processes_at_once_refresh_each_once(fake: Ending, extends: bool) -> None:
    """Also where the provider keeps the refresh token and its end."""
    fake.rotates = extends
    held = Held(fake)
    for number in range(1, 12):
        more(held, number)
    together = threading.Barrier(4)

    def run(_: int) -> Counter[str]:
        together.wait()
        try:
            return renew_expiring(now=SOON, limit=20)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        counts = sum(pool.map(run, range(4)), Counter[str]())
    assert counts == {"renewed": 12}
    assert len(fake.requests_to("/token")) == 12
    assert set(Credential.objects.values_list("version", flat=True)) == {2}


def test_a_renewal_beside_reads_is_one_refresh(fake: Ending, clock: Clock) -> None:
    """A read that refreshed between the listing and the renewal."""
    held = Held(fake)

    class Reads:
        """The moment of the second look at the clock: the list is there, the row not yet read."""

        looks = 0

        def __call__(self) -> datetime:
            self.looks += 1
            if self.looks == 2:
                clock.moment = START + 10 * DAY - timedelta(seconds=30)
                held.fresh(clock)
            return START + 10 * DAY - timedelta(seconds=30)

    assert renew_expiring(now=Reads(), limit=10) == {}
    assert len(fake.requests_to("/token")) == 1
