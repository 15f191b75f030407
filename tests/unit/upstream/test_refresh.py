"""Fresh tokens: one statement while they last, a refresh when they do not, and whom they are refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditEvent, Credential
from accounts.vault import vault
from accounts.vault.base import Entry, SessionGone
from tests.fakes.oauth2 import FakeOAuth2, Grant
from tests.unit.upstream.held import SCOPES, START, Clock, Held
from tests.unit.upstream.journeys import provider_at
from upstream.errors import MissingScope, NeedsReauthorization, NotConnected, TemporarilyUnavailable
from upstream.models import Provider
from upstream.refresh import fresh_tokens

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def test_a_fresh_token_costs_one_statement_and_no_call(
    fake: FakeOAuth2, clock: Clock, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    held = Held(fake)
    held.fresh(clock)
    with django_assert_num_queries(1):
        fresh = held.fresh(clock, wanted_scopes=("read",))
    assert fresh.access_token == held.tokens.access_token
    assert (fresh.scopes, fresh.expires_at) == (SCOPES, START + timedelta(hours=1))
    assert fake.seen == []
    assert "CANARY" not in repr(fresh)


def test_a_refresh_costs_four_statements_and_no_transaction_over_the_call(
    fake: FakeOAuth2, clock: Clock, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    held = Held(fake)
    clock.to(hours=1)
    with django_assert_num_queries(4):
        fresh = held.fresh(clock)
    assert fresh.access_token != held.tokens.access_token
    assert fresh.expires_at == START + timedelta(hours=2)
    assert fresh.entry.credential.version == held.row.version
    assert held.stored(clock) == fresh.entry.tokens
    assert held.row.lease_until is None


@pytest.mark.parametrize(("left", "refreshed"), [(61, False), (60, True), (59, True), (0, True), (-3600, True)])
def test_a_token_is_refreshed_when_less_than_a_minute_is_left(
    fake: FakeOAuth2, clock: Clock, left: int, refreshed: bool
) -> None:
    held = Held(fake)
    clock.to(seconds=3600 - left)
    assert (held.fresh(clock).access_token != held.tokens.access_token) is refreshed


def test_a_moment_is_as_good_as_a_clock(fake: FakeOAuth2) -> None:
    held = Held(fake)
    fresh = fresh_tokens(held.tsid, held.provider, now=START + timedelta(hours=1))
    assert fresh.access_token != held.tokens.access_token


def test_a_token_without_an_end_is_never_refreshed(fake: FakeOAuth2, clock: Clock) -> None:
    fake.expires_in = None
    held = Held(fake)
    clock.to(days=29)
    assert held.fresh(clock).access_token == held.tokens.access_token
    assert fake.seen == []


def test_rotation_never_breaks_over_many_refreshes(fake: FakeOAuth2, clock: Clock) -> None:
    fake.expires_in = 1
    held = Held(fake)
    for second in range(1, 51):
        clock.to(seconds=second)
        held.fresh(clock)
    assert list(fake.refresh_tokens) == [held.stored(clock).refresh_token]
    assert held.row.version == 51


def test_an_omitted_refresh_token_keeps_the_old_one(fake: FakeOAuth2, clock: Clock) -> None:
    fake.rotates = False
    held = Held(fake)
    for hour in (1, 2):
        clock.to(hours=hour)
        held.fresh(clock)
    assert held.stored(clock).refresh_token == held.tokens.refresh_token
    assert len(fake.requests_to("/token")) == 2


def test_omitted_scopes_are_those_before(clock: Clock) -> None:
    class Terse(FakeOAuth2):
        def token_answer(self, grant: Grant, tokens: dict[str, Any]) -> dict[str, Any]:
            del tokens["scope"]
            return tokens

    with Terse() as fake:
        held = Held(fake)
        clock.to(hours=1)
        assert held.fresh(clock, wanted_scopes=("write",)).scopes == SCOPES


def test_missing_scopes_are_named_before_any_refresh(fake: FakeOAuth2, clock: Clock) -> None:
    held = Held(fake)
    clock.to(hours=1)
    with pytest.raises(MissingScope) as missing:
        held.fresh(clock, wanted_scopes=("read", "admin", "delete"))
    assert missing.value.missing_scopes == ("admin", "delete")
    assert fake.seen == []


def test_a_scope_the_session_was_not_approved_for_is_missing(fake: FakeOAuth2, clock: Clock) -> None:
    held = Held(fake)
    held.tsid = held.open(approved=("read",))
    with pytest.raises(MissingScope) as missing:
        held.fresh(clock, wanted_scopes=("read", "write"))
    assert missing.value.missing_scopes == ("write",)


def test_another_provider_is_not_connected(fake: FakeOAuth2, clock: Clock) -> None:
    held = Held(fake)
    held.provider = provider_at(fake, Provider.Type.OAUTH2, name="other")
    with pytest.raises(NotConnected):
        held.fresh(clock)


def test_a_session_that_is_gone_says_so(fake: FakeOAuth2, clock: Clock) -> None:
    held = Held(fake)
    vault().sessions.close(held.tsid, reason="test", now=START)
    with pytest.raises(SessionGone):
        held.fresh(clock)


def test_a_provider_that_is_switched_off_freezes_what_is_held(
    fake: FakeOAuth2, clock: Clock, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    held = Held(fake)
    held.provider.enabled = False
    with django_assert_num_queries(0), pytest.raises(TemporarilyUnavailable, match="provider_disabled"):
        held.fresh(clock)
    assert held.row.state == Credential.State.LIVE


def test_the_caller_may_refuse_before_anything_is_refreshed(fake: FakeOAuth2, clock: Clock) -> None:
    held = Held(fake)
    clock.to(hours=1)

    class Refused(Exception):
        pass

    def refuse(entry: Entry) -> None:
        raise Refused

    with pytest.raises(Refused):
        held.fresh(clock, accept=refuse)
    assert fake.seen == []


def test_a_damaged_credential_needs_a_new_sign_in(fake: FakeOAuth2, clock: Clock) -> None:
    held = Held(fake)
    Credential.objects.update(sealed_tokens=held.row.sealed_tokens[:-4] + "AAAA")
    with pytest.raises(NeedsReauthorization, match="damaged"):
        held.fresh(clock)
    assert AuditEvent.objects.filter(event="vault.damaged").exists()
