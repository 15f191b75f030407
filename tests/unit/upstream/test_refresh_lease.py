"""Who holds a lease: no two send one refresh token, however slow things are, and a rotated token is not let go."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import structlog
from django.db import OperationalError, connection

from accounts.models import Credential
from accounts.vault import vault
from accounts.vault.base import Approved, Damaged, SealingUnavailable
from accounts.vault.sealing import sealing
from tests.fakes.oauth2 import FakeOAuth2, Grant
from tests.fakes.oidc import FakeOidc
from tests.fakes.server import Reply, Seen
from tests.unit.upstream.held import SCOPES, START, Clock, Held
from tests.unit.upstream.journeys import provider_at
from upstream import discovery, token_endpoint
from upstream.answers import token_set
from upstream.errors import NeedsReauthorization, TemporarilyUnavailable
from upstream.models import Provider
from upstream.refresh import LEASE, SEND_WITHIN, Fresh, fresh_tokens
from upstream.refresh_all import THREADS, Wanted, fresh_tokens_of_all
from upstream.refresh_call import TIMEOUT_SECONDS
from upstream.refresh_store import STORE_SECONDS

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


class Watched(FakeOAuth2):
    """Calls `at_refresh` while it answers."""

    at_refresh: Callable[[], object] = staticmethod(lambda: None)

    def token_answer(self, grant: Grant, tokens: dict[str, Any]) -> dict[str, Any]:
        self.at_refresh()
        return tokens


@dataclass
class Hindered:
    """The vault's own `replace`, after as many failures as are in `first`."""

    first: list[Exception]
    times: int = 0
    real: Callable[..., bool] = field(default_factory=lambda: vault().credentials.replace)

    def __call__(self, *arguments: Any, **named: Any) -> bool:
        self.times += 1
        if self.first:
            raise self.first.pop(0)
        return self.real(*arguments, **named)


def test_a_lease_outlasts_all_that_its_holder_does_with_hosts_whose_clocks_differ() -> None:
    longest = SEND_WITHIN + timedelta(seconds=TIMEOUT_SECONDS + STORE_SECONDS)
    assert longest + timedelta(seconds=10) < LEASE


def test_who_was_held_up_before_asking_does_not_ask(clock: Clock) -> None:
    """A discovery document that takes its time, a stopped process: the lease may be another's by now."""

    class Slow(FakeOidc):
        seconds = 0.0

        def answer(self, seen: Seen) -> Reply:
            if seen.path.endswith("openid-configuration"):
                clock.sleep(self.seconds)
            return super().answer(seen)

    with Slow() as fake:
        held = Held(fake, Provider.Type.OIDC, subject="ada-1")
        clock.to(hours=1)
        fake.seconds = SEND_WITHIN.total_seconds() + 1
        with pytest.raises(TemporarilyUnavailable, match="held_up"):
            held.fresh(clock)
        assert fake.requests_to("/token") == []
        assert (held.row.version, held.row.lease_until) == (1, None)
        assert held.fresh(clock).access_token != held.tokens.access_token  # the document is known now
        discovery.forget()
        clock.to(hours=2)
        fake.seconds = SEND_WITHIN.total_seconds() - 1
        held.fresh(clock)
        assert len(fake.requests_to("/token")) == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ahead", [-9, 0, 9])
def test_a_host_whose_clock_differs_by_seconds_does_not_take_over_from_one_at_work(clock: Clock, ahead: int) -> None:
    """At the last moment of the longest call, and of the longest attempt to store."""
    with Watched() as fake:
        held = Held(fake)
        clock.to(hours=1)
        taken: list[bool] = []

        def another_host() -> None:
            longest = SEND_WITHIN + timedelta(seconds=TIMEOUT_SECONDS + STORE_SECONDS + ahead)
            there = clock() + longest
            taken.append(vault().credentials.lease(held.credential_id, version_seen=1, holder="another",
                                                   until=there + LEASE, now=there))  # fmt: skip
            connection.close()

        fake.at_refresh = another_host
        assert held.fresh(clock).access_token == held.stored(clock).access_token
        assert taken == [False]


@pytest.mark.django_db(transaction=True)
def test_who_waited_for_a_thread_does_not_lease_in_the_past() -> None:
    """More are due than there are threads: the last one's lease counts from when it is taken, not from the request."""
    slow = 0.3
    with Watched() as fake:
        held = Held(fake, name="p0")
        wanted = [Wanted(held.provider, ())]
        for number in range(1, THREADS + 1):
            provider = provider_at(fake, Provider.Type.OAUTH2, name=f"p{number}")
            issued = token_set(provider, fake.issue(Grant(list(SCOPES)), refresh=True), requested=(), now=START)
            kept = vault().credentials.keep(held.user.id, provider.name, "1001", issued, now=START)
            vault().sessions.link(held.tsid, Approved(kept.id, provider.name, SCOPES), now=START)
            wanted.append(Wanted(provider, ()))
        now = START + timedelta(hours=1)
        fake.at_refresh = lambda: threading.Event().wait(slow)
        seen = vault().credentials.all_tokens(held.tsid, now=now)
        outcomes = fresh_tokens_of_all(held.tsid, wanted, now=now, accept=lambda session: None, seen=seen)
    assert [type(outcome) for outcome in outcomes] == [Fresh] * (THREADS + 1)
    began = [outcome.entry.tokens.obtained_at for outcome in outcomes if isinstance(outcome, Fresh)]
    assert max(moment for moment in began if moment) >= now + timedelta(seconds=slow)


def away() -> Exception:
    return OperationalError("the database is away")


@pytest.mark.parametrize("failure", [away, lambda: SealingUnavailable("KMS cannot be asked")])
def test_a_rotated_token_is_stored_as_soon_as_that_is_possible(
    fake: FakeOAuth2, clock: Clock, monkeypatch: pytest.MonkeyPatch, failure: Callable[[], Exception]
) -> None:
    held = Held(fake)
    clock.to(hours=1)
    replace = Hindered([failure() for _ in range(6)])
    monkeypatch.setattr(vault().credentials, "replace", replace)
    fresh = held.fresh(clock)
    assert replace.times == 7
    assert list(fake.refresh_tokens) == [held.stored(clock).refresh_token]
    assert held.stored(clock).access_token == fresh.access_token
    assert len(fake.requests_to("/token")) == 1


@pytest.mark.parametrize("failure", [away, lambda: SealingUnavailable("KMS cannot be asked")])
def test_what_cannot_be_stored_in_time_is_said_aloud_and_is_not_called_dead(
    fake: FakeOAuth2, clock: Clock, monkeypatch: pytest.MonkeyPatch, failure: Callable[[], Exception]
) -> None:
    held = Held(fake)
    clock.to(hours=1)
    with monkeypatch.context() as patch, structlog.testing.capture_logs() as logs:
        patch.setattr(vault().credentials, "replace", Hindered([failure() for _ in range(1000)]))
        with pytest.raises(TemporarilyUnavailable, match="not_stored"):
            held.fresh(clock)
    assert clock() - START - timedelta(hours=1) < timedelta(seconds=STORE_SECONDS + 1)
    assert [line["log_level"] for line in logs if line["outcome"] == "not_stored"] == ["error"]
    assert "CANARY" not in str(logs)
    assert (held.row.state, held.row.version, held.row.lease_until) == (Credential.State.LIVE, 1, None)
    with pytest.raises(NeedsReauthorization, match="refused_by_provider"):  # the provider has the last word
        held.fresh(clock)
    assert len(fake.requests_to("/token")) == 2


def test_a_write_whose_answer_was_lost_is_found_again(
    fake: FakeOAuth2, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took effect, and the connection broke before it was said."""
    held = Held(fake)
    clock.to(hours=1)
    real = vault().credentials.replace
    answers = [away()]

    def replace(*arguments: Any, **named: Any) -> bool:
        done = real(*arguments, **named)
        if answers:
            raise answers.pop()
        return done

    monkeypatch.setattr(vault().credentials, "replace", replace)
    assert held.fresh(clock).access_token == held.stored(clock).access_token
    assert held.row.version == 2
    assert len(fake.requests_to("/token")) == 1


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_broke_while_the_provider_was_asked_loses_nothing(postgres_url: str) -> None:
    """PostgreSQL was restarted, or a proxy before it: the pool's connections are all gone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        (name,) = cursor.fetchone()

    def restart() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as elsewhere:
            elsewhere.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))

    with Watched() as fake:
        held = Held(fake)
        fake.at_refresh = restart
        now = START + timedelta(hours=1)
        fresh = fresh_tokens(held.tsid, held.provider, now=now)
        assert held.stored(lambda: now) == fresh.entry.tokens  # type: ignore[arg-type]  # a clock is what is called
        assert list(fake.refresh_tokens) == [fresh.entry.tokens.refresh_token]
        assert (held.row.version, held.row.lease_until) == (2, None)


def test_a_database_that_stays_away_does_not_hide_what_happened(
    fake: FakeOAuth2, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease cannot be given back either; it runs out."""

    def gone(*arguments: Any, **named: Any) -> None:
        raise away()

    held = Held(fake)
    clock.to(hours=1)
    with monkeypatch.context() as patch:
        patch.setattr(vault().credentials, "release", gone)
        fake.faults = [Reply(503, {})]
        with pytest.raises(TemporarilyUnavailable, match="http_503"):
            held.fresh(clock)
    assert held.row.lease_until == clock() + LEASE
    clock.moment += LEASE
    assert held.fresh(clock).access_token != held.tokens.access_token


def test_tokens_that_no_longer_open_when_an_answer_leaves_some_out_end_the_credential(
    fake: FakeOAuth2, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(fake)
    clock.to(hours=1)
    monkeypatch.setattr(vault().credentials, "replace", Hindered([Damaged("swapped since")]))
    with pytest.raises(NeedsReauthorization, match="damaged"):
        held.fresh(clock)
    assert (held.row.state, held.row.dead_reason, held.row.lease_until) == (Credential.State.DEAD, "damaged", None)


def test_a_kms_that_cannot_be_asked_spends_no_token(
    fake: FakeOAuth2, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where the tokens do not open, nor where our own secret does not, nor where nothing new could be sealed."""
    held = Held(fake)
    clock.to(hours=1)

    def unavailable(*arguments: Any, **named: Any) -> Any:
        raise SealingUnavailable("KMS cannot be asked")

    for target, name in ((vault().credentials, "tokens"), (token_endpoint, "client_secret"), (sealing(), "ready")):
        with monkeypatch.context() as patch:
            patch.setattr(target, name, unavailable)
            with pytest.raises(TemporarilyUnavailable, match="sealing_unavailable"):
                held.fresh(clock)
    assert fake.seen == []
    assert (held.row.state, held.row.version, held.row.lease_until) == (Credential.State.LIVE, 1, None)
    assert held.fresh(clock).access_token != held.tokens.access_token
