"""What an upstream's logout ends: the sessions that a sign-in there began (Back-Channel Logout 1.0 section 2.7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.test import Client as Http
from django.utils import timezone

from accounts import browser_sessions
from accounts.models import AuditEvent, BrowserSession, TokenSession
from authserver import receipts
from tests.conformance.oidc.conftest import scene  # noqa: F401  # a fixture
from tests.conformance.oidc.scene import Scene
from tests.harness.approval import approve, post
from tests.harness.logout import send, signed
from tests.harness.policies import in_force
from tests.unit.authorize.sitting import Sitting
from upstream.models import Provider

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def another_browser(scene: Scene) -> Scene:  # noqa: F811  # the fixture's value
    """The same app in a second browser."""
    return Scene(scene.idp, Sitting(scene.sitting.client, scene.sitting.resource, Http()))


def sign_in(at: Scene, sid: str | None, subject: str = "ada-1") -> str:
    """Sign in in this session of the provider's, approve, and redeem; the refresh token."""
    at.idp.person = {"sub": subject}
    at.idp.forge = lambda claims: claims.update({"sid": sid} if sid else {})
    token: str = at.tokens(code=at.ask(prompt="login")["code"])["refresh_token"]
    return token


def is_signed_in(at: Scene) -> bool:
    return at.silently().get("error") != "login_required"


def refreshes(at: Scene, refresh_token: str) -> bool:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": at.sitting.client.client_id}
    return bool(post(form).status_code == 200)


@pytest.fixture
def two(scene: Scene) -> tuple[Scene, Scene, list[str]]:  # noqa: F811  # pytest's way
    """Ada in two browsers, each signed in in a session of its own at the provider."""
    first, second = scene, another_browser(scene)
    return first, second, [sign_in(first, "s-1"), sign_in(second, "s-2")]


def test_by_sub_everything_that_began_there_ends_in_every_browser(two: Any) -> None:
    first, second, tokens = two
    assert send(signed(first.idp)).status_code == 200
    assert not BrowserSession.objects.filter(user_id__isnull=False).exists()
    assert [is_signed_in(at) for at in (first, second)] == [False, False]
    assert [refreshes(first, token) for token in tokens] == [False, False]


def test_by_sid_alone_the_person_is_found(two: Any) -> None:
    first, second, tokens = two
    assert send(signed(first.idp, sub=None, sid="s-2")).status_code == 200
    assert [is_signed_in(at) for at in (first, second)] == [False, False]
    assert [refreshes(first, token) for token in tokens] == [False, False]


def test_by_sid_alone_the_person_is_found_when_the_browser_session_is_long_over(two: Any) -> None:
    first, _, tokens = two
    BrowserSession.objects.all().delete()
    assert send(signed(first.idp, sub=None, sid="s-1")).status_code == 200
    assert not any(refreshes(first, token) for token in tokens)


def test_where_the_operator_wants_it_only_what_began_in_the_named_session_ends(two: Any) -> None:
    first, second, tokens = two
    with in_force(revocation={"upstream_logout_ends_all": False}):  # and what it is afterwards is kept for seconds
        assert send(signed(first.idp, sid="s-1")).status_code == 200
        assert [is_signed_in(at) for at in (first, second)] == [False, True]
        assert [refreshes(first, token) for token in tokens] == [False, True]


@pytest.mark.parametrize("sid", [None, "never-seen"])
def test_even_then_a_session_that_is_not_known_here_stands_for_all(two: Any, sid: str | None) -> None:
    first, second, tokens = two
    with in_force(revocation={"upstream_logout_ends_all": False}):
        assert send(signed(first.idp, sid=sid)).status_code == 200
        assert [is_signed_in(at) for at in (first, second)] == [False, False]
        assert not any(refreshes(first, token) for token in tokens)


def test_nobody_elses_end(two: Any) -> None:
    first, second, _ = two
    token = sign_in(second, "s-3", "grace-2")
    assert send(signed(first.idp, sub="ada-1", sid="s-3")).status_code == 200  # what `sub` says counts
    assert is_signed_in(second)
    assert refreshes(second, token)
    for changes in ({"sub": "nobody"}, {"sub": "nobody", "sid": "s-3"}, {"sub": None, "sid": "never-seen"}):
        assert send(signed(first.idp, **changes)).status_code == 200  # signed out already, as section 2.8 has it
    assert is_signed_in(second)


def test_what_began_with_another_upstream_lives_on(two: Any) -> None:
    first, _, tokens = two
    elsewhere = approve(user=first.sitting.person, client=first.sitting.client, resource=first.sitting.resource)
    Http().force_login(first.sitting.person)  # an administrator's sign-in, by password
    assert send(signed(first.idp)).status_code == 200
    assert refreshes(first, elsewhere.redeem()["refresh_token"])
    assert BrowserSession.objects.filter(user_id=elsewhere.user.pk).count() == 1
    assert not any(refreshes(first, token) for token in tokens)


def test_the_receipt_says_what_ended_and_why(two: Any) -> None:
    first, _, _ = two
    send(signed(first.idp, sid="s-1"))
    [told] = AuditEvent.objects.filter(event="upstream.logout")
    assert (told.upstream, told.user_id, told.detail) == ("idp", TokenSession.objects.first().user_id, {"people": 1})  # type: ignore[union-attr]  # there is one
    [done] = AuditEvent.objects.filter(event="sign_ins.revoked")
    assert done.receipt is not None
    kept = receipts.find(done.receipt)
    assert kept is not None
    events = [(step.event, step.reason, step.actor) for step in kept.steps]
    assert events == [
        ("sign_ins.revoking", "upstream logout", "upstream:idp"),
        *[("session.revoked", "upstream logout", "upstream:idp")] * 2,
        ("browser_session.ended", "upstream logout", "upstream:idp"),
        ("sign_ins.revoked", "upstream logout", "upstream:idp"),
    ]
    assert kept.steps[3].detail == {"browsers": 2}
    assert set(TokenSession.objects.values_list("close_reason", flat=True)) == {"upstream logout"}


def test_a_code_that_was_not_redeemed_yet_is_worth_nothing(scene: Scene) -> None:  # noqa: F811  # pytest's way
    answer = scene.ask()
    send(signed(scene.idp))
    form = {"grant_type": "authorization_code", "code": answer["code"], "client_id": scene.sitting.client.client_id}
    assert post({**form, "code_verifier": "x" * 43}).json()["error"] == "invalid_grant"


def test_a_request_that_is_under_way_does_not_bring_the_browser_session_back(scene: Scene) -> None:  # noqa: F811
    scene.ask()
    session = scene.sitting.http.session
    session["something"] = "changed"
    send(signed(scene.idp))
    with pytest.raises(UpdateError):
        session.save()
    assert not BrowserSession.objects.exists()


def test_an_approval_whose_browser_session_ends_meanwhile_gives_no_code(
    scene: Scene,  # noqa: F811  # pytest's way
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between the check of who is signed in and the token session: the sign-out is let in just there."""
    sign_in(scene, "s-1")
    token, there = signed(scene.idp), browser_sessions.still_there

    def signed_out_just_before(key: str | None) -> bool:
        assert send(token).status_code == 200
        return there(key)

    monkeypatch.setattr(browser_sessions, "still_there", signed_out_just_before)
    page = scene.ask()
    assert page.status_code == 400
    assert "You were signed out" in page.content.decode()
    assert TokenSession.objects.count() == 1  # the first one's


@pytest.mark.parametrize("sid", [7, "", "x" * 256, "line\nbreak", None, {"a": 1}])
def test_a_sid_of_any_shape_stops_no_sign_in(scene: Scene, sid: Any) -> None:  # noqa: F811  # pytest's way
    scene.idp.forge = lambda claims: claims.update(sid=sid)
    assert "code" in scene.ask()
    assert set(TokenSession.objects.values_list("upstream_sid", "signed_in_with")) == {("", "idp")}


def test_by_a_claim_that_logout_tokens_lack_only_a_sid_finds_anybody(scene: Scene) -> None:  # noqa: F811
    Provider.objects.update(subject_claim="employee")
    scene.idp.person = {"sub": "ada-1", "employee": "4711"}
    scene.idp.forge = lambda claims: claims.update(sid="s-1")
    scene.ask()
    refused = send(signed(scene.idp))
    assert refused.status_code == 400
    assert "employee" in refused.json()["error_description"]
    assert send(signed(scene.idp, employee="4712")).status_code == 200
    assert TokenSession.objects.filter(closed_at=None).count() == 1
    assert send(signed(scene.idp, sid="s-1")).status_code == 200
    assert not TokenSession.objects.filter(closed_at=None).exists()


def test_how_many_statements_it_takes(scene: Scene, django_assert_max_num_queries: Any) -> None:  # noqa: F811
    sign_in(scene, "s-1")
    TokenSession.objects.update(expires_at=timezone.now() + timedelta(days=1))
    with django_assert_max_num_queries(24):
        send(signed(scene.idp, sid="s-1"))
