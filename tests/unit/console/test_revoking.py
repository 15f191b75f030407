"""The Revoke action, from the list and from a session's page: asked first, with a reason, once and for good."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.admin.utils import quote
from django.test import Client as Http
from django.utils import timezone

from accounts.models import AuditEvent, Credential, Revocation, TokenSession, User
from authserver.models import RefreshToken
from tests.harness.approval import Approval, approve, make_client, make_provider, make_resource, post
from tests.unit.console.conftest import Operator
from tests.unit.console.crawl import ROOT
from upstream import revoke

pytestmark = pytest.mark.django_db
LIST = f"{ROOT}accounts/tokensession/"


def act(http: Http, *tsids: str, **form: str) -> Http:
    return http.post(LIST, {"action": "revoke_selected", "_selected_action": list(tsids), **form})  # type: ignore[return-value]


def test_the_list_asks_before_it_revokes(superuser: Http) -> None:
    approval = approve()
    page = act(superuser, approval.tsid)
    assert page.status_code == 200  # type: ignore[attr-defined]
    assert approval.tsid in page.content.decode()  # type: ignore[attr-defined]
    assert TokenSession.objects.get().closed_at is None


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201, "a\x00b"])
def test_it_wants_a_reason(reason: str, superuser: Http) -> None:
    approval = approve()
    act(superuser, approval.tsid, confirmed="1", reason=reason)
    superuser.post(f"{LIST}{quote(approval.tsid)}/revoke/", {"reason": reason})
    assert TokenSession.objects.get().closed_at is None


def test_revoked_sessions_are_over_everywhere(superuser: Http) -> None:
    client, resource = make_client(), make_resource()
    first = approve(client=client, resource=resource, provider=make_provider())
    second = approve(client=client, resource=resource)
    other = approve(client=client, resource=resource)
    tokens = first.redeem()
    answer = act(superuser, first.tsid, second.tsid, confirmed="1", reason="laptop stolen")
    assert answer.status_code == 302  # type: ignore[attr-defined]
    assert set(TokenSession.objects.filter(closed_at=None).values_list("tsid", flat=True)) == {other.tsid}
    assert not RefreshToken.objects.filter(revoked=None).exists()
    assert not Credential.objects.exists()
    assert post(first.refresh_form(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert post(second.form).json()["error"] == "invalid_grant"


def test_the_trail_says_who_and_why(superuser: Http) -> None:
    approval = approve()
    act(superuser, approval.tsid, confirmed="1", reason="laptop stolen")
    asked, done, summed_up = AuditEvent.objects.exclude(receipt=None).order_by("id")
    assert (asked.event, asked.actor, asked.reason) == ("sessions.revoking", "root", "laptop stolen")
    assert asked.address == "127.0.0.1"
    assert (done.event, done.actor, done.reason, done.tsid) == ("session.revoked", "root", "admin", approval.tsid)
    assert (summed_up.event, summed_up.detail["sessions"]) == ("sessions.revoked", 1)
    assert len({asked.receipt, done.receipt, summed_up.receipt}) == 1


def test_before_it_is_done_the_page_says_what_ends_with_it(superuser: Http) -> None:
    provider = make_provider(on_session_end="revoke_when_unused", display_name="GitHub")
    approval = approve(provider=provider)
    approval.redeem()
    page = act(superuser, approval.tsid).content.decode()  # type: ignore[attr-defined]
    for words in ("ends 1 refresh token.", "1 credential of github is destroyed", "github is told to revoke 1 token"):
        assert words in page


def test_the_receipt_shows_each_step_and_grows_with_what_the_queue_does(superuser: Http, staff: Operator) -> None:
    approval = approve(provider=make_provider(on_session_end="revoke_when_unused"))
    act(superuser, approval.tsid, confirmed="1", reason="laptop <b>stolen</b>")
    receipt = AuditEvent.objects.filter(event="session.revoked").values_list("receipt", flat=True).get()
    path = f"{ROOT}receipts/{receipt}/"
    page = superuser.get(path).content.decode()
    for words in (
        approval.tsid,
        "session.revoked",
        "laptop &lt;b&gt;stolen",
        "One provider is still to be told",
        "not yet",
        "sessions: 1; destroyed: github 1; queued: github 1",
    ):
        assert words in page
    revoke.work_queue(now=timezone.now(), limit=5)
    Revocation.objects.update(state="done", finished_at=timezone.now())
    assert "Everything has been done" in superuser.get(path).content.decode()
    assert superuser.get(f"{ROOT}receipts/{uuid4()}/").status_code == 404
    assert staff("accounts.view_tokensession").get(path).status_code == 403


def page_of(approval: Approval) -> str:
    return f"{LIST}{quote(approval.tsid)}/change/"


def test_the_button_on_a_sessions_page_does_the_same(staff: Operator) -> None:
    http, approval = staff("accounts.view_tokensession", "accounts.change_tokensession"), approve()
    assert f"{quote(approval.tsid)}/revoke/" in http.get(page_of(approval)).content.decode()
    assert http.get(f"{LIST}{quote(approval.tsid)}/revoke/").status_code == 200
    assert TokenSession.objects.get().closed_at is None
    assert http.post(f"{LIST}{quote(approval.tsid)}/revoke/", {"reason": "left us"}).status_code == 302
    assert TokenSession.objects.get().close_reason == "admin"
    assert "/revoke/" not in http.get(page_of(approval)).content.decode()


def test_revoking_twice_is_no_error(superuser: Http) -> None:
    approval = approve()
    for _ in range(2):
        assert superuser.post(f"{LIST}{quote(approval.tsid)}/revoke/", {"reason": "x"}).status_code == 302
    assert AuditEvent.objects.filter(event="session.revoked").count() == 1


def test_a_session_that_is_not_there_is_a_404(superuser: Http) -> None:
    assert superuser.post(f"{LIST}nope/revoke/", {"reason": "x"}).status_code == 404


def test_a_forged_post_is_refused(superuser: Http) -> None:
    approval = approve()
    strict = Http(enforce_csrf_checks=True)
    strict.cookies = superuser.cookies
    assert strict.post(f"{LIST}{quote(approval.tsid)}/revoke/", {"reason": "x"}).status_code == 403
    assert TokenSession.objects.get().closed_at is None


def test_deactivating_a_person_ends_their_sessions(superuser: Http) -> None:
    approval = approve()
    kept = approve(client=approval.client, resource=approval.resource)
    form = {"username": approval.user.username, "name": "", "email": "", "_save": "1"}
    assert superuser.post(f"{ROOT}accounts/user/{approval.user.pk}/change/", form).status_code == 302
    assert not User.objects.get(pk=approval.user.pk).is_active
    assert TokenSession.objects.get(tsid=approval.tsid).close_reason == "deactivated"
    assert TokenSession.objects.get(tsid=kept.tsid).closed_at is None
