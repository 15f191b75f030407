"""What a provider answers to a refresh, and what it means for the tokens held."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.models import AuditEvent, Credential
from accounts.vault.base import TokenSet
from tests.fakes.github import FakeGithub
from tests.fakes.oauth2 import FakeOAuth2
from tests.fakes.server import Reply
from tests.unit.upstream.held import START, Clock, Held
from upstream.errors import NeedsReauthorization, TemporarilyUnavailable
from upstream.models import Provider

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


DEAD = [
    pytest.param(Reply(400, {"error": "invalid_grant"}), id="invalid_grant"),
    pytest.param(Reply(401, {"error": "invalid_grant"}), id="invalid_grant with 401"),
    pytest.param(Reply(200, {"error": "bad_refresh_token"}), id="GitHub's, with 200"),
    pytest.param(Reply(200, {"ok": False, "error": "invalid_refresh_token"}), id="Slack's, with 200"),
    pytest.param(Reply(400, {"error": "interaction_required"}), id="Entra's"),
]
PASSING = [
    pytest.param(Reply(500, {"error": "invalid_grant"}), "http_500", id="500, whatever it says"),
    pytest.param(Reply(503, body=b"<html>maintenance</html>"), "http_503", id="503"),
    pytest.param(Reply(302, body=b"", headers={"Location": "/elsewhere"}), "http_302", id="a redirect"),
    pytest.param(Reply(200, body=b"<html>hello</html>"), "garbage", id="a page with 200"),
    pytest.param(Reply(200, {}), "garbage", id="an empty object"),
    pytest.param(Reply(200, [1]), "garbage", id="a list"),
    pytest.param(Reply(200, {"access_token": 7}), "garbage", id="a token that is a number"),
    pytest.param(Reply(200, {"access_token": "a\r\nb"}), "garbage", id="a token with a line break"),
    pytest.param(Reply(200, {"access_token": "a", "expires_in": "soon"}), "garbage", id="an end that is text"),
    pytest.param(Reply(200, {"access_token": "a", "scope": 7}), "garbage", id="scopes that are a number"),
    pytest.param(Reply(200, {"access_token": "a", "refresh_token": {}}), "garbage", id="a refresh token that is none"),
    pytest.param(Reply(400, {"error": "temporarily_unavailable"}), "http_400", id="its own word for it"),
    pytest.param(Reply(404, {"message": "Not Found"}), "http_404", id="404"),
    pytest.param(Reply(401, {"error": "invalid_client"}), "client_refused", id="our secret is wrong"),
    pytest.param(
        Reply(200, {"error": "incorrect_client_credentials"}), "client_refused", id="the same, GitHub's words"
    ),
]


@pytest.mark.parametrize("reply", DEAD)
def test_a_refused_refresh_token_marks_the_credential_dead(fake: FakeOAuth2, clock: Clock, reply: Reply) -> None:
    held = Held(fake)
    fake.faults = [reply]
    clock.to(hours=1)
    with pytest.raises(NeedsReauthorization, match="refused_by_provider"):
        held.fresh(clock)
    row = held.row
    assert (row.state, row.dead_reason, row.lease_until) == (Credential.State.DEAD, "refused_by_provider", None)
    event = AuditEvent.objects.get(event="upstream.credential_died")
    assert (event.reason, event.upstream, event.tsid) == ("refused_by_provider", "fake", held.tsid)
    with pytest.raises(NeedsReauthorization):
        held.fresh(clock)
    assert len(fake.requests_to("/token")) == 1  # never a loop


@pytest.mark.parametrize(("reply", "reason"), PASSING)
def test_what_may_pass_leaves_everything_as_it_was(fake: FakeOAuth2, clock: Clock, reply: Reply, reason: str) -> None:
    held = Held(fake)
    fake.faults = [reply]
    clock.to(hours=1)
    with pytest.raises(TemporarilyUnavailable) as unavailable:
        held.fresh(clock)
    assert unavailable.value.reason == reason
    assert unavailable.value.retry_after_seconds > 0
    row = held.row
    assert (row.state, row.version, row.lease_until) == (Credential.State.LIVE, 1, None)
    assert held.fresh(clock).access_token != held.tokens.access_token  # and the next one gets through


@pytest.mark.parametrize(("reply", "reason"), PASSING)
def test_a_token_with_life_left_is_better_than_none(fake: FakeOAuth2, clock: Clock, reply: Reply, reason: str) -> None:
    held = Held(fake)
    fake.faults = [reply]
    clock.to(seconds=3600 - 30)
    assert held.fresh(clock).access_token == held.tokens.access_token
    assert held.row.lease_until is None


@pytest.mark.parametrize(("header", "seconds"), [("17", 17), ("0", 1), ("99999", 300), ("soon", 5), ("9" * 30, 5)])
def test_retry_after_is_passed_on_within_bounds(fake: FakeOAuth2, clock: Clock, header: str, seconds: int) -> None:
    held = Held(fake)
    fake.faults = [Reply(429, {}, headers={"Retry-After": header})]
    clock.to(hours=1)
    with pytest.raises(TemporarilyUnavailable) as unavailable:
        held.fresh(clock)
    assert unavailable.value.retry_after_seconds == seconds


def test_a_provider_that_cannot_be_reached_is_temporarily_unavailable(clock: Clock) -> None:
    with FakeOAuth2() as fake:
        held = Held(fake)
    clock.to(hours=1)
    with pytest.raises(TemporarilyUnavailable, match="connection"):
        held.fresh(clock)
    assert held.row.lease_until is None


def test_an_expired_token_without_a_refresh_token_needs_a_new_sign_in(fake: FakeOAuth2, clock: Clock) -> None:
    fake.gives_refresh_token = False
    held = Held(fake)
    clock.to(seconds=3600 - 30)
    assert held.fresh(clock).access_token == held.tokens.access_token
    clock.to(hours=1)
    with pytest.raises(NeedsReauthorization, match="no_refresh_token"):
        held.fresh(clock)
    assert held.row.state == Credential.State.DEAD


def test_a_refresh_token_past_its_end_is_not_tried(clock: Clock) -> None:
    with FakeGithub() as fake:
        fake.as_app()
        held = Held(fake, Provider.Type.GITHUB)
        assert held.tokens.refresh_expires_at == START + timedelta(seconds=15811200)
        held.keep(TokenSet("a", "r", expires_at=START, refresh_expires_at=START + timedelta(hours=1)))
        clock.to(hours=2)
        with pytest.raises(NeedsReauthorization, match="refresh_token_expired"):
            held.fresh(clock)
        assert fake.seen == []


def test_an_answer_too_large_to_keep_ends_the_credential(fake: FakeOAuth2, clock: Clock) -> None:
    """The provider has rotated, and what it gave cannot be stored: there is nothing left to refresh with."""
    held = Held(fake)
    fake.faults = [Reply(200, {"access_token": "a" * 70_000, "refresh_token": "r"})]
    clock.to(hours=1)
    with pytest.raises(NeedsReauthorization, match="answer_cannot_be_stored"):
        held.fresh(clock)
