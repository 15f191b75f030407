"""How each type of provider is told, and what its answers mean."""

from __future__ import annotations

import base64
import json
import threading
from datetime import timedelta
from urllib.parse import quote_plus

import pytest

from accounts.models import Revocation
from accounts.vault.base import SealingUnavailable
from tests.fakes.atlassian import FakeAtlassian
from tests.fakes.github import FakeGithub
from tests.fakes.oauth2 import CLIENT_ID, CLIENT_SECRET, FakeOAuth2
from tests.fakes.oidc import FakeEntra, FakeGoogle, FakeOidc
from tests.fakes.server import FakeServer, Reply
from tests.unit.upstream.ended import ended, receipt
from tests.unit.upstream.held import START, Clock
from upstream import revoke_call, token_endpoint
from upstream.models import Provider
from upstream.revoke import work_queue

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
DELETE = f"/applications/{CLIENT_ID}/token"


def basic(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def told(fake: FakeServer) -> list[tuple[str, str]]:
    """The forms that the revocation endpoint got: hint and token."""
    return [(seen.form.get("token_type_hint", ""), seen.form["token"]) for seen in fake.requests_to("/revoke")]


def test_rfc_7009_is_told_the_refresh_token_and_then_the_access_token(fake: FakeOAuth2) -> None:
    held = ended(fake)
    assert work_queue(now=START, limit=10) == {"done": 1}
    assert told(fake) == [("refresh_token", held.tokens.refresh_token), ("access_token", held.tokens.access_token)]
    authorization = basic(quote_plus(CLIENT_ID), quote_plus(CLIENT_SECRET))
    assert {seen.headers["authorization"] for seen in fake.requests_to("/revoke")} == {authorization}
    assert (fake.refresh_tokens, fake.access_tokens) == ({}, {})
    assert receipt() == ("done", "revoked")


def test_the_endpoint_comes_from_discovery_and_we_authenticate_as_at_the_token_endpoint(oidc: FakeOidc) -> None:
    oidc.auth_method = "client_secret_post"
    held = ended(oidc, Provider.Type.OIDC, "ada-1")
    work_queue(now=START, limit=10)
    assert [hint for hint, _ in told(oidc)] == ["refresh_token", "access_token"]
    assert oidc.requests_to("/revoke")[0].form["client_secret"] == CLIENT_SECRET
    assert oidc.revoked[0] == held.tokens.refresh_token
    assert receipt() == ("done", "revoked")


def test_what_ended_by_itself_is_not_told(fake: FakeOAuth2) -> None:
    held = ended(fake)
    work_queue(now=START + 2 * HOUR, limit=10)
    assert told(fake) == [("refresh_token", held.tokens.refresh_token)]


def test_where_all_ended_by_itself_there_is_nothing_to_tell(fake: FakeOAuth2) -> None:
    fake.gives_refresh_token = False
    ended(fake)
    assert work_queue(now=START + 2 * HOUR, limit=10) == {"not_needed": 1}
    assert fake.seen == []
    assert receipt() == ("not_needed", "expired")


def test_a_provider_without_an_endpoint_is_not_told(oidc: FakeOidc) -> None:
    oidc.document = {"revocation_endpoint": None}
    ended(oidc, Provider.Type.OIDC, "ada-1")
    work_queue(now=START, limit=10)
    assert receipt() == ("not_needed", "not_offered")


def test_github_is_told_by_its_own_call(clock: Clock) -> None:
    with FakeGithub() as fake:
        held = ended(fake, Provider.Type.GITHUB, "583231")
        assert work_queue(now=clock, limit=10) == {"done": 1}
        [seen] = fake.requests_to(DELETE)
        assert (seen.method, json.loads(seen.body)) == ("DELETE", {"access_token": held.tokens.access_token})
        assert seen.headers["authorization"] == basic(CLIENT_ID, CLIENT_SECRET)
        assert fake.access_tokens == {}
    assert receipt() == ("done", "revoked")


def test_github_enterprise_is_told_at_its_own_api(clock: Clock) -> None:
    with FakeGithub() as fake:
        ended(fake, Provider.Type.GITHUB, "583231", userinfo_endpoint=f"{fake.url}/api/v3/user")
        work_queue(now=clock, limit=10)
        assert [seen.path for seen in fake.seen] == [f"/api/v3{DELETE}"]


def test_a_github_apps_refresh_token_is_spent_where_the_access_token_has_ended(clock: Clock) -> None:
    with FakeGithub() as fake:
        fake.as_app()
        held = ended(fake, Provider.Type.GITHUB, "583231")
        clock.to(hours=9)
        work_queue(now=clock, limit=10)
        assert fake.spent == {held.tokens.refresh_token}
        assert (fake.refresh_tokens, len(fake.requests_to(DELETE))) == ({}, 1)
    assert receipt() == ("done", "revoked")


def test_a_github_app_whose_refresh_token_is_refused_has_nothing_left(clock: Clock) -> None:
    with FakeGithub() as fake:
        fake.as_app()
        ended(fake, Provider.Type.GITHUB, "583231")
        fake.refresh_tokens.clear()
        clock.to(hours=9)
        work_queue(now=clock, limit=10)
        assert fake.requests_to(DELETE) == []
    assert receipt() == ("done", "already_gone")


def test_google_is_told_one_token_and_no_secret(clock: Clock) -> None:
    with FakeGoogle() as fake:
        held = ended(fake, Provider.Type.GOOGLE, fake.person["sub"])
        work_queue(now=clock, limit=10)
        [seen] = fake.requests_to("/revoke")
        assert seen.form == {"token": held.tokens.refresh_token}
        assert "authorization" not in seen.headers
        assert (fake.refresh_tokens, fake.access_tokens) == ({}, {})
    assert receipt() == ("done", "revoked")


@pytest.mark.parametrize(
    ("make", "type_"), [(FakeAtlassian, Provider.Type.ATLASSIAN), (FakeEntra, Provider.Type.ENTRA)]
)
def test_a_type_that_offers_none_is_not_even_asked(make: type[FakeOAuth2], type_: str, clock: Clock) -> None:
    with make() as fake:
        ended(fake, type_, revocation_endpoint="")
        assert work_queue(now=clock, limit=10) == {"not_needed": 1}
        assert fake.seen == []
    assert receipt() == ("not_needed", "not_offered")


OK = [
    pytest.param(Reply(200, body=b""), "revoked", id="empty"),
    pytest.param(Reply(200, {"revoked": True}), "revoked", id="json"),
    pytest.param(Reply(200, body=b"OK"), "revoked", id="text"),
    pytest.param(Reply(204, body=b""), "revoked", id="204"),
    pytest.param(Reply(400, {"error": "invalid_token"}), "already_gone", id="invalid-token"),
    pytest.param(Reply(200, {"ok": False, "error": "token_revoked"}), "already_gone", id="error-with-200"),
    pytest.param(Reply(400, {"error": "unsupported_token_type"}), "unsupported_token_type", id="unsupported"),
]
LATER = [
    pytest.param(Reply(500, {"error": "server_error"}), "http_500", id="500"),
    pytest.param(Reply(503, {"error": "invalid_token"}), "http_503", id="503"),
    pytest.param(Reply(404, {"message": "Not Found"}), "http_404", id="404"),
    pytest.param(Reply(400, body=b"<html>no</html>"), "http_400", id="400-without-words"),
    pytest.param(Reply(200, {"ok": False}), "http_200", id="not-ok"),
    pytest.param(Reply(302, body=b"", headers={"Location": "https://a.example/"}), "http_302", id="redirect"),
    pytest.param(
        Reply(200, body=b"<html>maintenance</html>", headers={"Content-Type": "text/html; charset=utf-8"}),
        "garbage",
        id="a-page",
    ),
    pytest.param(Reply(200, body=b'{"a', headers={"Content-Type": "application/json"}), "garbage", id="half-json"),
    pytest.param(Reply(200, body=b"x" * (2 * 1024 * 1024)), "too_large", id="huge"),
    pytest.param(Reply(429, {}), "rate_limited", id="429"),
    pytest.param(Reply(401, {"error": "invalid_client"}), "client_refused", id="401"),
    pytest.param(Reply(400, {"error": "unauthorized_client"}), "client_refused", id="unauthorized-client"),
]


@pytest.mark.parametrize(("reply", "outcome"), OK)
def test_an_answer_that_settles_it(fake: FakeOAuth2, reply: Reply, outcome: str) -> None:
    fake.revocation_faults = [reply]
    ended(fake)
    work_queue(now=START + 2 * HOUR, limit=10)
    assert receipt() == ("done", outcome)
    assert Revocation.objects.get().sealed_tokens == ""


@pytest.mark.parametrize(("reply", "outcome"), LATER)
def test_an_answer_after_which_it_is_tried_again(fake: FakeOAuth2, reply: Reply, outcome: str) -> None:
    fake.revocation_faults = [reply]
    ended(fake)
    assert work_queue(now=START, limit=10) == {"postponed": 1}
    assert receipt() == ("queued", outcome)
    assert work_queue(now=START + 24 * HOUR, limit=10) == {"done": 1}
    assert receipt() == ("done", "revoked")


def test_a_kind_of_token_that_cannot_be_revoked_takes_nothing_from_the_other(fake: FakeOAuth2) -> None:
    ended(fake)
    fake.revocation_faults = [Reply(200, body=b""), Reply(400, {"error": "unsupported_token_type"})]
    work_queue(now=START, limit=10)
    assert receipt() == ("done", "revoked")


def test_an_access_token_that_outlived_its_refresh_token_was_revoked_all_the_same(fake: FakeOAuth2) -> None:
    ended(fake)
    fake.revocation_faults = [Reply(400, {"error": "invalid_token"})]
    work_queue(now=START, limit=10)
    assert receipt() == ("done", "revoked")


def test_what_failed_half_way_is_told_again_from_the_start(fake: FakeOAuth2) -> None:
    held = ended(fake)
    fake.revocation_faults = [Reply(200, body=b""), Reply(502, {})]
    work_queue(now=START, limit=10)
    work_queue(now=START + HOUR / 2, limit=10)
    refresh, access = held.tokens.refresh_token, held.tokens.access_token
    assert [token for _, token in told(fake)] == [refresh, access, refresh, access]


def test_a_provider_that_does_not_answer_is_tried_again(fake: FakeOAuth2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revoke_call, "TIMEOUT_SECONDS", 0.2)
    never = threading.Event()
    fake.revocation_faults = [Reply(200, body=b"", delay=never)]
    ended(fake)
    assert work_queue(now=START, limit=10) == {"postponed": 1}
    never.set()
    assert receipt() == ("queued", "timeout")


def test_an_address_that_we_do_not_call_is_not_called(fake: FakeOAuth2) -> None:
    held = ended(fake)
    Provider.objects.filter(pk=held.provider.pk).update(allow_private_network=False)
    assert work_queue(now=START, limit=10) == {"postponed": 1}
    assert fake.seen == []


@pytest.mark.parametrize(
    ("reply", "outcome", "at_least"),
    [
        (Reply(403, {}, headers={"X-RateLimit-Remaining": "0"}), "rate_limited", timedelta(minutes=1)),
        (Reply(403, {}, headers={"Retry-After": "7200"}), "rate_limited", timedelta(hours=2)),
        (Reply(403, {}), "client_refused", timedelta(hours=6)),
        (Reply(401, {"message": "Bad credentials"}), "client_refused", timedelta(hours=6)),
        (Reply(200, {}), "http_200", timedelta(minutes=1)),
    ],
)
def test_githubs_refusals(reply: Reply, outcome: str, at_least: timedelta, clock: Clock) -> None:
    with FakeGithub() as fake:
        fake.revocation_faults = [reply]
        ended(fake, Provider.Type.GITHUB, "583231")
        work_queue(now=clock, limit=10)
    assert receipt() == ("queued", outcome)
    assert at_least <= Revocation.objects.get().due_at - START <= at_least * 1.1


@pytest.mark.parametrize("status", [404, 422])
def test_a_token_that_github_does_not_know_is_gone(status: int, clock: Clock) -> None:
    with FakeGithub() as fake:
        fake.revocation_faults = [Reply(status, {"message": "no"})]
        ended(fake, Provider.Type.GITHUB, "583231")
        work_queue(now=clock, limit=10)
    assert receipt() == ("done", "already_gone")


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        ("5", timedelta(minutes=1)),  # our own pause is longer
        ("900", timedelta(minutes=15)),
        ("99999999999", timedelta(days=1)),
        ("Tue, 01 Jan 2030 02:00:00 GMT", timedelta(hours=2)),
        ("Mon, 31 Dec 2029 00:00:00 GMT", timedelta(minutes=1)),
        ("soon", timedelta(minutes=1)),
        ("-5", timedelta(minutes=1)),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_within_a_day(fake: FakeOAuth2, given: str, wait: timedelta, status: int) -> None:
    fake.revocation_faults = [Reply(status, {}, headers={"Retry-After": given})]
    ended(fake)
    work_queue(now=START, limit=10)
    assert wait <= Revocation.objects.get().due_at - START <= wait * 1.1


def test_a_secret_of_ours_that_does_not_open_is_an_operators_matter(fake: FakeOAuth2) -> None:
    held = ended(fake)
    broken = held.provider.client_secret_sealed[:-4] + "AAAA"
    Provider.objects.filter(pk=held.provider.pk).update(client_secret_sealed=broken)
    work_queue(now=START, limit=10)
    assert receipt() == ("queued", "client_secret_unreadable")
    assert Revocation.objects.get().due_at >= START + 6 * HOUR


def test_a_kms_that_cannot_be_asked_is_waited_for_minutes_and_not_hours(
    fake: FakeOAuth2, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(fake)

    def unavailable(provider: Provider) -> str:
        raise SealingUnavailable("KMS cannot be asked")

    with monkeypatch.context() as patch:
        patch.setattr(token_endpoint, "client_secret", unavailable)
        work_queue(now=START, limit=10)
    assert receipt() == ("queued", "sealing_unavailable")
    assert Revocation.objects.get().due_at < START + HOUR / 10
    assert work_queue(now=START + HOUR, limit=10) == {"done": 1}
