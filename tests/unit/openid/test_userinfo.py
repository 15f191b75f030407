"""What ends an access token at UserInfo before its hour is over, and what asking costs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.vault import vault
from authserver import cascade, mint
from authserver.access_tokens import jti_checksum
from authserver.models import AccessToken, App
from tests.harness.approval import Approval, approve, make_resource, make_user
from tests.harness.oauth import claims

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

SCOPES = ("openid", "profile", "email", "mcp:tools")


def ask(access_token: str) -> Any:
    return Http().get("/oauth/userinfo", headers={"Authorization": f"Bearer {access_token}"})


def end_the_session(approval: Approval, access_token: str) -> None:
    cascade.revoke_session(approval.tsid, reason="test")


def end_the_token(approval: Approval, access_token: str) -> None:
    said = claims(access_token)
    AccessToken.objects.create(
        token="", token_checksum=jti_checksum(said["jti"]), expires=datetime.fromtimestamp(said["exp"], UTC)
    )


def deactivate_the_person(approval: Approval, access_token: str) -> None:
    approval.user.is_active = False
    approval.user.save()


def disable_the_client(approval: Approval, access_token: str) -> None:
    approval.client.disabled_at = timezone.now()
    approval.client.save()


def block_the_app(approval: Approval, access_token: str) -> None:
    App.objects.update(state=App.State.BLOCKED)


def remove_the_client(approval: Approval, access_token: str) -> None:
    approval.client.delete()


def remove_the_person(approval: Approval, access_token: str) -> None:
    approval.user.delete()


@pytest.mark.parametrize(
    "end",
    [
        end_the_session,
        end_the_token,
        deactivate_the_person,
        disable_the_client,
        block_the_app,
        remove_the_client,
        remove_the_person,
    ],
)
def test_what_ends_it_ends_it_at_once(end: Callable[[Approval, str], None]) -> None:
    approval = approve(scopes=SCOPES, user=make_user(name="Ada"))
    access_token = approval.redeem()["access_token"]
    assert ask(access_token).status_code == 200
    end(approval, access_token)
    answer = ask(access_token)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert "Ada" not in answer.content.decode()


def test_another_token_of_the_same_session_goes_on() -> None:
    approval = approve(scopes=SCOPES)
    ended, other = approval.redeem()["access_token"], minted(approval)
    end_the_token(approval, ended)
    assert (ask(ended).status_code, ask(other).status_code) == (401, 200)


def test_an_expired_token_is_refused() -> None:
    approval = approve(scopes=SCOPES)
    approval.redeem()
    an_hour_ago = timezone.now() - timedelta(seconds=3601)
    assert ask(minted(approval, now=an_hour_ago)).status_code == 401


@pytest.mark.parametrize("claim", ["subject", "client_id", "audience"])
def test_a_token_that_is_not_its_sessions_own_is_refused(claim: str) -> None:
    approval = approve(scopes=SCOPES)
    approval.redeem()
    another = approve(scopes=SCOPES, resource=make_resource("https://other.example.com/mcp"))
    others: dict[str, Any] = {
        "subject": another.user.pk,
        "client_id": another.client.client_id,
        "audience": another.resource.identifier,
    }
    assert ask(minted(approval, **{claim: others[claim]})).status_code == 401


def test_a_code_that_was_not_redeemed_in_time_leaves_no_session_to_ask_about() -> None:
    approval = approve(scopes=SCOPES, now=timezone.now() - timedelta(minutes=10))
    assert ask(minted(approval)).status_code == 401


def test_a_resource_servers_own_token_is_refused() -> None:
    now = timezone.now()
    assert ask(mint.caller_token(client_id="rs-a", audience="http://localhost:8000/api/v1", now=now)).status_code == 401


def test_it_takes_a_token_for_whatever_resource() -> None:
    for identifier in ("https://one.example.com/mcp", "https://two.example.com/mcp"):
        approval = approve(scopes=SCOPES, resource=make_resource(identifier))
        assert ask(approval.redeem()["access_token"]).json()["sub"] == str(approval.user.pk)


def test_it_says_what_is_true_now() -> None:
    approval = approve(scopes=SCOPES, user=make_user(name="Ada Byron", email="ada@example.com"))
    access_token = approval.redeem()["access_token"]
    approval.user.name = "Ada Lovelace"
    approval.user.save()
    assert ask(access_token).json()["name"] == "Ada Lovelace"


def test_it_takes_at_most_three_statements_and_for_what_we_did_not_sign_none() -> None:
    access_token = approve(scopes=SCOPES, user=make_user(name="Ada", email="ada@example.com")).redeem()["access_token"]
    ask(access_token)
    with CaptureQueriesContext(connection) as sent:
        assert ask(access_token).status_code == 200
    assert len(sent) <= 3, [query["sql"] for query in sent]
    with CaptureQueriesContext(connection) as sent:
        assert ask(f"{access_token[:-8]}AAAAAAAA").status_code == 401
    assert len(sent) == 0


def test_a_session_that_asks_too_often_waits_and_others_do_not(settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "userinfo": "3/minute"}
    busy = approve(scopes=SCOPES).redeem()["access_token"]
    other = approve(scopes=SCOPES, resource=make_resource("https://two.example.com/mcp")).redeem()["access_token"]
    assert [ask(busy).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert int(ask(busy)["Retry-After"]) >= 1
    assert ask(other).status_code == 200


def test_an_address_that_presents_what_is_not_valid_waits_as_well(settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "userinfo": "3/minute"}
    good = approve(scopes=SCOPES).redeem()["access_token"]
    assert [ask("made-up").status_code for _ in range(4)] == [401, 401, 401, 429]
    assert ask(good).status_code == 200


def minted(approval: Approval, now: datetime | None = None, **changed: Any) -> str:
    """An access token of the approval's session, with our own signature."""
    said = {
        "subject": approval.user.pk,
        "audience": approval.resource.identifier,
        "client_id": approval.client.client_id,
        "scope": " ".join(SCOPES),
        "tsid": approval.tsid,
        "lifetime_seconds": 3600,
        "now": now or timezone.now(),
    }
    return mint.access_token(**{**said, **changed})


def test_the_vault_alone_does_not_open_it() -> None:
    """A live session is not enough: its token has to be genuine."""
    approval = approve(scopes=SCOPES)
    approval.redeem()
    assert vault().sessions.alive(approval.tsid, now=timezone.now())
    assert ask(approval.tsid).status_code == 401
