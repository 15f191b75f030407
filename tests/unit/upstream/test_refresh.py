"""Fresh tokens: one statement while they last, one refresh for everybody when they do not, and nothing lost on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditEvent, Credential, User
from accounts.vault import vault
from accounts.vault.base import Approved, Entry, NewSession, SessionGone, TokenSet
from tests.fakes.atlassian import FakeAtlassian
from tests.fakes.github import FakeGithub
from tests.fakes.oauth2 import FakeNested, FakeOAuth2, Grant
from tests.fakes.oidc import TENANT, FakeEntra, FakeGoogle, FakeOidc
from tests.fakes.server import Reply
from tests.unit.upstream.journeys import provider_at
from upstream.answers import token_set
from upstream.errors import MissingScope, NeedsReauthorization, NotConnected, TemporarilyUnavailable
from upstream.models import Provider
from upstream.refresh import Fresh, fresh_tokens

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

START = datetime(2030, 1, 1, tzinfo=UTC)
SCOPES = ("read", "write")


class Clock:
    """Stands still until it is moved; sleeping moves it."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def to(self, **ahead: float) -> None:
        self.moment = START + timedelta(**ahead)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake() -> Iterator[FakeOAuth2]:
    with FakeOAuth2() as fake:
        yield fake


class Held:
    """A session of a new person with one credential at a provider, whose tokens the fake issued."""

    def __init__(
        self, fake: FakeOAuth2, type_: str = Provider.Type.OAUTH2, subject: str = "1001", **fields: Any
    ) -> None:
        self.fake = fake
        self.provider = provider_at(fake, type_, **fields)
        self.user = User.objects.create(username=subject)
        answer = fake.issue(Grant(list(SCOPES), person=dict(fake.person)), refresh=fake.gives_refresh_token)
        self.tokens = token_set(self.provider, answer, requested=SCOPES, now=START)
        self.subject = subject
        self.keep(self.tokens)
        self.tsid = self.open()

    def keep(self, tokens: TokenSet) -> None:
        state = vault().credentials.keep(self.user.id, self.provider.name, self.subject, tokens, now=START)
        self.credential_id = state.id

    def open(self, approved: tuple[str, ...] = SCOPES) -> str:
        new = NewSession(
            user_id=self.user.id,
            client_id="client",
            redirect_host="localhost",
            resource="https://mcp.example.com/mcp",
            scopes=(),
            idle_expires_at=START + timedelta(days=30),
            expires_at=START + timedelta(days=90),
            approved=(Approved(self.credential_id, self.provider.name, approved),),
        )
        return vault().sessions.open(new, now=START)

    def fresh(self, clock: Clock, **more: Any) -> Fresh:
        return fresh_tokens(self.tsid, self.provider, now=clock, sleep=clock.sleep, monotonic=clock.monotonic, **more)

    @property
    def row(self) -> Credential:
        return Credential.objects.get()

    def stored(self, clock: Clock) -> TokenSet:
        return vault().credentials.tokens(self.tsid, self.provider.name, now=clock()).tokens


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


# --- What cannot be answered ------------------------------------------------------------------------------------------


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


# --- What the provider answers ----------------------------------------------------------------------------------------

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


# --- ID tokens of a refresh -------------------------------------------------------------------------------------------


def claims(**changed: Any) -> Callable[[dict[str, Any]], None]:
    return lambda given: given.update(changed)


def test_a_refreshed_id_token_of_the_same_person_is_kept(clock: Clock) -> None:
    with FakeOidc() as fake:
        held = Held(fake, Provider.Type.OIDC, subject="ada-1")
        clock.to(hours=1)
        fresh = held.fresh(clock)
        assert fresh.entry.tokens.id_token == held.stored(clock).id_token != held.tokens.id_token


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (claims(sub="grace-2"), "id_token_subject_changed"),
        (claims(iss="https://evil.example"), "id_token_issuer"),
        (claims(aud="somebody-else"), "id_token_audience"),
        (claims(sub=None), "id_token_malformed"),
    ],
)
def test_another_persons_id_token_ends_the_credential_after_the_rotation_is_stored(
    clock: Clock, forge: Callable[[dict[str, Any]], None], reason: str
) -> None:
    with FakeOidc() as fake:
        held = Held(fake, Provider.Type.OIDC, subject="ada-1")
        fake.forge = forge
        clock.to(hours=1)
        with pytest.raises(NeedsReauthorization, match=reason):
            held.fresh(clock)
        assert held.row.state == Credential.State.DEAD
        assert list(fake.refresh_tokens) == [held.stored(clock).refresh_token]  # stored first, as ruled
    assert AuditEvent.objects.get(event="upstream.credential_died").reason == reason


def test_an_id_token_that_is_none_ends_the_credential(clock: Clock) -> None:
    with FakeOidc() as fake:
        held = Held(fake, Provider.Type.OIDC, subject="ada-1")
        fake.sign = lambda given: "no token"
        clock.to(hours=1)
        with pytest.raises(NeedsReauthorization, match="id_token_malformed"):
            held.fresh(clock)


# --- Types ------------------------------------------------------------------------------------------------------------


def test_a_github_app_is_refreshed_and_keeps_its_scopes(clock: Clock) -> None:
    with FakeGithub() as fake:
        fake.as_app()
        held = Held(fake, Provider.Type.GITHUB, subject="583231")
        clock.to(hours=8)
        fresh = held.fresh(clock, wanted_scopes=("read",))
        assert fresh.access_token.startswith("ghu_")
        assert fresh.scopes == SCOPES
        fake.refresh_tokens.clear()
        clock.to(hours=16)
        with pytest.raises(NeedsReauthorization):
            held.fresh(clock)


def test_atlassians_word_for_a_dead_refresh_token_is_understood(clock: Clock) -> None:
    with FakeAtlassian() as fake:
        held = Held(fake, Provider.Type.ATLASSIAN)
        clock.to(hours=1)
        held.fresh(clock)
        fake.refresh_tokens.clear()
        clock.to(hours=2)
        with pytest.raises(NeedsReauthorization):
            held.fresh(clock)


def test_atlassians_refusal_of_ourselves_kills_nothing(clock: Clock) -> None:
    with FakeAtlassian() as fake:
        held = Held(fake, Provider.Type.ATLASSIAN)
        fake.faults = [Reply(403, {"error": "unauthorized_client", "error_description": "the app is suspended"})]
        clock.to(hours=1)
        with pytest.raises(TemporarilyUnavailable, match="client_refused"):
            held.fresh(clock)


@pytest.mark.parametrize("tenant", [TENANT, "organizations"])
def test_entra_is_told_the_scopes(clock: Clock, tenant: str) -> None:
    with FakeEntra(tenant) as fake:
        oid = fake.person["oid"]
        held = Held(fake, Provider.Type.ENTRA, subject=oid if tenant == TENANT else f"{TENANT}.{oid}")
        clock.to(hours=1)
        held.fresh(clock)
        assert fake.requests_to("/token")[0].form["scope"] == "read write"


def test_google_keeps_its_one_refresh_token(clock: Clock) -> None:
    with FakeGoogle() as fake:
        held = Held(fake, Provider.Type.GOOGLE, subject=fake.person["sub"])
        for hour in (1, 2, 3):
            clock.to(hours=hour)
            held.fresh(clock)
        assert held.stored(clock).refresh_token == held.tokens.refresh_token


def test_a_nested_answer_is_refreshed(clock: Clock) -> None:
    with FakeNested() as fake:
        held = Held(fake)
        clock.to(hours=1)
        fresh = held.fresh(clock)
        assert fresh.access_token in fake.access_tokens
        assert (fresh.token_type, fresh.scopes) == ("user", SCOPES)


# --- Many at once -----------------------------------------------------------------------------------------------------


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
    real = fake.issue

    def slowly(grant: Grant, *, refresh: bool) -> dict[str, Any]:
        gate.wait(10)
        return real(grant, refresh=refresh)

    fake.issue = slowly  # type: ignore[method-assign]  # the fake is ours
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
