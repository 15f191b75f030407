"""An app set to reusable refresh tokens: the same token goes on as long as its session, and an end is still an end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts.models import TokenSession
from authserver import cascade
from authserver.models import App, RefreshToken
from tests.harness.approval import Approval, approve, make_client, post
from tests.harness.oauth import claims

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


@pytest.fixture
def approval() -> Approval:
    made = approve(client=make_client("dcr-1", registration_source="dcr"))
    App.objects.update(reusable_refresh_tokens=True)
    return made


def test_one_token_refreshes_again_and_again(approval: Approval) -> None:
    token = approval.redeem()["refresh_token"]
    answers = [post(approval.refresh_form(token)).json() for _ in range(3)]
    assert {answer["refresh_token"] for answer in answers} == {token}
    assert len({claims(answer["access_token"])["jti"] for answer in answers}) == 3
    assert {claims(answer["access_token"])["tsid"] for answer in answers} == {approval.tsid}
    assert RefreshToken.objects.get().generation == 1


def test_each_use_begins_the_idle_time_anew(approval: Approval) -> None:
    token = approval.redeem()["refresh_token"]
    before = RefreshToken.objects.get().idle_expires_at, TokenSession.objects.get().idle_expires_at
    post(approval.refresh_form(token))
    after = RefreshToken.objects.get().idle_expires_at, TokenSession.objects.get().idle_expires_at
    assert all(late > early for early, late in zip(before, after, strict=True))


def test_it_ends_with_its_session(approval: Approval) -> None:
    token = approval.redeem()["refresh_token"]
    cascade.revoke_session(approval.tsid, reason="admin")
    assert post(approval.refresh_form(token)).json()["error"] == "invalid_grant"


def test_a_token_of_the_time_before_is_still_known_as_reuse(approval: Approval) -> None:
    App.objects.update(reusable_refresh_tokens=False)
    first = approval.redeem()["refresh_token"]
    second = post(approval.refresh_form(first)).json()["refresh_token"]
    RefreshToken.objects.update(replay_until=None)
    App.objects.update(reusable_refresh_tokens=True)
    assert post(approval.refresh_form(second)).status_code == 200
    assert post(approval.refresh_form(first)).json()["error"] == "invalid_grant"
    assert post(approval.refresh_form(second)).json()["error"] == "invalid_grant"


def test_once_it_is_switched_off_the_next_refresh_rotates(approval: Approval) -> None:
    token = approval.redeem()["refresh_token"]
    post(approval.refresh_form(token))
    App.objects.update(reusable_refresh_tokens=False)
    assert post(approval.refresh_form(token)).json()["refresh_token"] != token


@pytest.mark.django_db(transaction=True)
def test_many_at_once_all_get_their_token(approval: Approval) -> None:
    token = approval.redeem()["refresh_token"]

    def refresh(_: int) -> int:
        try:
            status: int = post(approval.refresh_form(token)).status_code
            return status
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(refresh, range(16))) == [200] * 16
