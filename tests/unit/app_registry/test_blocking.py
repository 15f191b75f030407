"""A blocked app is over: its sessions, its codes, its tokens at every door, and its way back in."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEvent, TokenSession
from authserver import app_registry
from authserver.grant_types import TOKEN_EXCHANGE
from authserver.models import App, Client, Consent
from tests.harness.approval import (
    RESOURCE_SERVER_SECRET,
    Approval,
    approve,
    make_client,
    make_provider,
    make_resource,
    make_resource_server,
    make_user,
    post,
)
from tests.harness.registration import register, registered
from tests.unit.authorize.conftest import Door

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def block(app: App) -> int:
    return app_registry.decide(app, App.State.BLOCKED, actor="root", reason="phishing", now=timezone.now())


@pytest.fixture
def approval() -> Approval:
    made = approve(client=make_client("dcr-1", registration_source="dcr"), provider=make_provider())
    make_resource_server(made.resource)
    return made


def exchange(subject_token: str) -> Any:
    return post({"grant_type": TOKEN_EXCHANGE, "subject_token": subject_token, "client_id": "rs-a",
                 "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
                 "client_secret": RESOURCE_SERVER_SECRET})  # fmt: skip


def test_every_session_of_every_registration_ends_and_no_other(approval: Approval) -> None:
    other = approve(client=make_client("dcr-2", registration_source="dcr"), resource=approval.resource)
    foreign = approve(client=make_client("x", name="X", registration_source="dcr"), resource=approval.resource)
    app = App.objects.get(pk=approval.client.app_id)
    assert block(app) == 2
    still_open = TokenSession.objects.filter(closed_at=None)
    assert [session.tsid for session in still_open] == [foreign.tsid]
    assert {approval.client.app_id, other.client.app_id} == {app.pk}
    event = AuditEvent.objects.get(event="app.blocked")
    assert (event.actor, event.reason) == ("root", "phishing")


def test_nothing_of_it_is_good_for_anything_from_the_first_moment(approval: Approval) -> None:
    """The state alone, before one session has ended: what holds if whoever blocks dies at once."""
    unredeemed = approve(client=approval.client, resource=approval.resource)
    tokens = approval.redeem()
    App.objects.update(state=App.State.BLOCKED)
    assert post(unredeemed.form).json()["error"] == "invalid_client"
    assert post(approval.refresh_form(tokens["refresh_token"])).json()["error"] == "invalid_client"
    assert exchange(tokens["access_token"]).json()["error"] == "invalid_request"
    assert TokenSession.objects.filter(closed_at=None).count() == 2


def test_the_person_reads_that_it_is_blocked_and_nothing_is_sent_to_it(door: Door) -> None:
    App.objects.update(state=App.State.BLOCKED)
    page = door.ask()
    assert page.status_code == 403
    assert "not let in" in page.content.decode()
    assert "Location" not in page
    assert "127.0.0.1" not in page.content.decode()


def test_it_cannot_register_again(db: None) -> None:
    registered(client_name="Bad")
    block(App.objects.get())
    assert register(client_name="Bad").status_code == 403
    assert Client.objects.count() == 1


def test_unblocking_is_a_way_back_for_new_approvals_and_not_for_old_ones(approval: Approval) -> None:
    Consent.objects.create(user=make_user(), client=approval.client, redirect_host="127.0.0.1",
                           resource=approval.resource, granted_at=timezone.now())  # fmt: skip
    tokens = approval.redeem()
    app = App.objects.get()
    block(app)
    app_registry.decide(app, App.State.APPROVED, actor="root", now=timezone.now())
    assert post(approval.refresh_form(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert not Consent.objects.exists()
    assert "access_token" in approve(client=approval.client, resource=approval.resource).redeem()


@pytest.mark.django_db(transaction=True)
def test_of_sessions_in_full_use_none_survives_the_block() -> None:
    """Eight clients refresh as fast as they can while the app is blocked: after that nothing of theirs works."""
    resource = make_resource()
    approvals = [
        approve(client=make_client(f"dcr-{n}", registration_source="dcr"), resource=resource) for n in range(8)
    ]
    newest = {approval.tsid: approval.redeem()["refresh_token"] for approval in approvals}
    going, refreshed = threading.Event(), threading.Barrier(9)

    def keep_refreshing(approval: Approval) -> None:
        try:
            first = True
            while not going.is_set():
                answer = post(approval.refresh_form(newest[approval.tsid]))
                if answer.status_code == 200:
                    newest[approval.tsid] = answer.json()["refresh_token"]
                if first:
                    refreshed.wait(30)
                    first = False
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        running = [threads.submit(keep_refreshing, approval) for approval in approvals]
        refreshed.wait(30)
        ended = block(App.objects.get())
        going.set()
        for each in running:
            each.result(30)
    assert ended == 8
    assert not TokenSession.objects.filter(closed_at=None).exists()
    App.objects.update(state=App.State.APPROVED)
    assert {post(a.refresh_form(newest[a.tsid])).json()["error"] for a in approvals} == {"invalid_grant"}


@pytest.mark.django_db(transaction=True)
def test_many_that_register_at_once_are_one_app() -> None:
    def one(number: int) -> int:
        try:
            answer = register(client_name="Claude Code", redirect_uris=[f"http://localhost:{5000 + number}/cb"])
            return int(answer.status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(one, range(8))) == {201}
    assert App.objects.get().name == "Claude Code"
    assert Client.objects.filter(app=App.objects.get()).count() == 8


def test_what_was_opened_in_the_moment_of_the_block_does_not_come_to_life_with_the_unblocking(
    approval: Approval,
) -> None:
    app = App.objects.get()
    block(app)
    slipped_in = approve(client=approval.client, resource=approval.resource)
    app_registry.decide(app, App.State.APPROVED, actor="root", now=timezone.now())
    assert post(slipped_in.form).json()["error"] == "invalid_grant"
