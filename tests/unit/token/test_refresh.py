"""Refresh: sealed idempotent rotation (behaviour.md, Codes and refresh tokens 2 and 3)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import TokenSession
from accounts.vault import vault
from accounts.vault.base import SessionGone, TokenSet
from authserver import refresh_tokens
from authserver.models import Client, RefreshToken, Resource
from tests.harness.approval import approve, make_client, make_provider, make_resource, post
from tests.harness.oauth import claims

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def is_alive(tsid: str) -> bool:
    try:
        vault().sessions.alive(tsid, now=timezone.now())
    except SessionGone:
        return False
    return True


def close_replay_window() -> None:
    RefreshToken.objects.update(replay_until=timezone.now() - timedelta(seconds=1))


def test_a_refresh_rotates_and_keeps_session_scope_and_resource() -> None:
    approval = approve()
    first = approval.redeem()
    second = post(approval.refresh_form(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["scope"] == first["scope"]
    before, after = claims(first["access_token"]), claims(second["access_token"])
    assert (after["tsid"], after["aud"], after["sub"]) == (before["tsid"], before["aud"], before["sub"])
    assert after["jti"] != before["jti"]
    assert RefreshToken.objects.count() == 1


def test_a_replay_in_the_window_gets_the_identical_answer() -> None:
    approval = approve()
    presented = approval.redeem()["refresh_token"]
    first = post(approval.refresh_form(presented))
    again = post(approval.refresh_form(presented))
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert post(approval.refresh_form(first.json()["refresh_token"])).status_code == 200


def test_the_database_alone_does_not_reveal_the_kept_answer() -> None:
    approval = approve()
    answer = post(approval.refresh_form(approval.redeem()["refresh_token"])).json()
    row = str(vars(RefreshToken.objects.get()))
    assert answer["refresh_token"] not in row
    assert answer["access_token"] not in row


def test_a_replay_after_the_window_ends_the_session() -> None:
    approval = approve()
    presented = approval.redeem()["refresh_token"]
    successor = post(approval.refresh_form(presented)).json()["refresh_token"]
    close_replay_window()
    assert post(approval.refresh_form(presented)).json()["error"] == "invalid_grant"
    assert not is_alive(approval.tsid)
    assert post(approval.refresh_form(successor)).json()["error"] == "invalid_grant"


def test_a_grandparent_ends_the_session_even_inside_the_window() -> None:
    approval = approve()
    grandparent = approval.redeem()["refresh_token"]
    parent = post(approval.refresh_form(grandparent)).json()["refresh_token"]
    child = post(approval.refresh_form(parent)).json()["refresh_token"]
    assert post(approval.refresh_form(grandparent)).json()["error"] == "invalid_grant"
    assert not is_alive(approval.tsid)
    assert post(approval.refresh_form(child)).json()["error"] == "invalid_grant"


def test_a_made_up_token_with_a_real_handle_ends_nothing() -> None:
    approval = approve()
    good = approval.redeem()["refresh_token"]
    handle = RefreshToken.objects.get().handle
    forged = refresh_tokens.mint(handle, 0)
    forged = forged[:-4] + ("AAAA" if not forged.endswith("AAAA") else "BBBB")
    for made_up in (forged, "asr_" + "A" * 112, "x", "ey.a.b"):
        assert post(approval.refresh_form(made_up)).json()["error"] == "invalid_grant"
    assert post(approval.refresh_form(good)).status_code == 200


def test_a_token_newer_than_this_database_is_refused_but_ends_nothing() -> None:
    approval = approve()
    good = approval.redeem()["refresh_token"]
    ahead = refresh_tokens.mint(RefreshToken.objects.get().handle, 7)
    assert post(approval.refresh_form(ahead)).json()["error"] == "invalid_grant"
    assert post(approval.refresh_form(good)).status_code == 200


def test_another_client_cannot_use_it_and_does_not_harm_it() -> None:
    approval = approve()
    refresh_token = approval.redeem()["refresh_token"]
    thief = make_client()
    answer = post({**approval.refresh_form(refresh_token), "client_id": thief.client_id})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert post(approval.refresh_form(refresh_token)).status_code == 200


def test_another_resource_is_refused_and_does_not_rotate() -> None:
    approval = approve()
    refresh_token = approval.redeem()["refresh_token"]
    make_resource("https://other.example.com/mcp")
    answer = post(approval.refresh_form(refresh_token, resource="https://other.example.com/mcp"))
    assert answer.json()["error"] == "invalid_target"
    assert RefreshToken.objects.get().generation == 1


def test_a_narrower_scope_is_honoured_for_the_access_token_only() -> None:
    approval = approve()
    refresh_token = approval.redeem()["refresh_token"]
    narrow = post(approval.refresh_form(refresh_token, scope="mcp:tools")).json()
    assert claims(narrow["access_token"])["scope"] == "mcp:tools"
    full = post(approval.refresh_form(narrow["refresh_token"])).json()
    assert full["scope"] == "mcp:tools mcp:admin"


def test_a_wider_scope_is_refused_and_does_not_rotate() -> None:
    approval = approve(scopes=("mcp:tools",))
    refresh_token = approval.redeem()["refresh_token"]
    used = TokenSession.objects.values("last_used_at", "idle_expires_at").get()
    answer = post(approval.refresh_form(refresh_token, scope="mcp:tools mcp:admin"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert RefreshToken.objects.get().generation == 1
    assert TokenSession.objects.values("last_used_at", "idle_expires_at").get() == used


@pytest.mark.parametrize("change", ["inactive", "closed", "idle", "absolute", "dead"])
def test_a_session_that_may_not_go_on_is_not_refreshed(change: str) -> None:
    provider = make_provider()
    approval = approve(provider=provider, tokens=TokenSet(access_token="a", refresh_token="r", scopes=("repo",)))
    refresh_token = approval.redeem()["refresh_token"]
    now = timezone.now()
    if change == "inactive":
        approval.user.is_active = False
        approval.user.save()
    if change == "closed":
        vault().sessions.close(approval.tsid, reason="test", now=now)
    if change == "idle":
        RefreshToken.objects.update(idle_expires_at=now)
    if change == "absolute":
        RefreshToken.objects.update(expires_at=now)
    if change == "dead":
        state = vault().credentials.of_user(approval.user.pk)[0]
        vault().credentials.mark_dead(state.id, version_seen=state.version, reason="invalid_grant", now=now)
    used = TokenSession.objects.values("last_used_at", "idle_expires_at").get()
    answer = post(approval.refresh_form(refresh_token))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert RefreshToken.objects.get().generation == 1
    assert TokenSession.objects.values("last_used_at", "idle_expires_at").get() == used, "what is refused is no use"


def test_a_dead_optional_upstream_does_not_stop_a_refresh() -> None:
    approval = approve(provider=make_provider())
    refresh_token = approval.redeem()["refresh_token"]
    approval.resource.upstreams.update(required=False)
    state = vault().credentials.of_user(approval.user.pk)[0]
    vault().credentials.mark_dead(state.id, version_seen=state.version, reason="invalid_grant", now=timezone.now())
    used = TokenSession.objects.get().last_used_at
    assert post(approval.refresh_form(refresh_token)).status_code == 200
    assert TokenSession.objects.get().last_used_at > used


def test_a_scope_the_operator_took_away_is_gone_at_the_next_refresh() -> None:
    approval = approve()
    refresh_token = approval.redeem()["refresh_token"]
    Client.objects.update(allowed_scopes="mcp:tools")
    assert post(approval.refresh_form(refresh_token)).json()["scope"] == "mcp:tools"


def test_when_no_scope_is_left_the_refresh_is_refused() -> None:
    approval = approve()
    refresh_token = approval.redeem()["refresh_token"]
    Resource.objects.update(scopes={"else": ""})
    assert post(approval.refresh_form(refresh_token)).json()["error"] == "invalid_scope"


def test_a_disabled_client_and_a_disabled_resource_do_not_refresh() -> None:
    approval = approve()
    refresh_token = approval.redeem()["refresh_token"]
    Resource.objects.update(enabled=False)
    assert post(approval.refresh_form(refresh_token)).json()["error"] == "invalid_target"
    Client.objects.update(disabled_at=timezone.now())
    assert post(approval.refresh_form(refresh_token)).json()["error"] == "invalid_client"
