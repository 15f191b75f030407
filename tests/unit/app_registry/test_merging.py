"""Merged apps: what joins them, what holds for them, and what nobody gets by being merged."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, TokenSession
from authserver import app_merging, app_registry
from authserver.app_merging import Block, BlockUndecided, NotMergeable, Overtaken
from authserver.models import App, Client
from tests.harness.approval import approve, make_client, make_resource, post
from tests.harness.policies import in_force
from tests.harness.registration import register, registered
from tests.unit.app_registry.conftest import decided
from tests.unit.authorize.conftest import Door

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

WEB, OTHER_WEB, OWN_COMPUTER = "https://app.example/cb", "https://app.example/other", "http://127.0.0.1:7777/callback"
VERIFIED_HEADING = "<h1><bdi>{}</bdi> wants"


def app_of(name: str, *, uri: str = OWN_COMPUTER, state: str = "pending", **columns: Any) -> App:
    client = make_client(name=name, registration_source="dcr", redirect_uris=uri)
    App.objects.filter(pk=client.app_id).update(state=state, **columns)
    return App.objects.get(pk=client.app_id)


def merge(main: App, *others: App, block: str = "") -> app_merging.Done:
    return app_merging.merge(
        main.pk, [app.pk for app in others], seen={app.pk: app.state for app in (main, *others)}, block=block,
        actor="root", reason="one product", now=timezone.now(),
    )  # fmt: skip


def split(main: App, alias: App) -> app_merging.Done:
    found = App.objects.get(pk=alias.pk)
    seen = app_merging.state_after_split(found)
    return app_merging.split(main.pk, alias.pk, seen=seen, actor="root", reason="two", now=timezone.now())


def decide(app: App, state: str) -> int:
    return app_registry.decide(App.objects.get(pk=app.pk), state, actor="root", now=timezone.now())


def state(app: App) -> str:
    return App.objects.get(pk=app.pk).state


def consent_page(door: Door, name: str, uri: str) -> str:
    client = make_client(name=name, registration_source="dcr", redirect_uris=uri)
    page: str = door.ask(client_id=client.client_id, redirect_uri=uri).content.decode()
    return page


def test_what_registers_later_joins_the_app_that_stays(db: None) -> None:
    main, other = app_of("Claude Code", state="approved"), app_of("claude-code-cli")
    merge(main, other)
    registered(client_name="claude-code-cli (github)", redirect_uris=["http://localhost:9/x"])
    newest = Client.objects.select_related("app").latest("pk")
    assert newest.app.main_key == main.pk
    assert newest.app.is_approved
    assert App.objects.count() == 2


def test_the_state_of_the_one_that_stays_holds_for_all_in_both_directions() -> None:
    approved, pending = app_of("A", state="approved"), app_of("B")
    merge(approved, pending)
    assert state(pending) == "approved"
    other_pending, other_approved = app_of("C"), app_of("D", state="approved")
    merge(other_pending, other_approved)
    assert state(other_approved) == "pending"


def test_who_waits_for_it_goes_on_when_it_is_merged_into_an_approved_app(door: Door) -> None:
    main = app_of("Main", state="approved")
    with in_force(mode="approval"):
        assert door.ask().status_code == 403
        merge(main, App.objects.get(pk=door.client.app_id))
        assert door.ask().status_code == 200


@pytest.mark.parametrize("uri", [OTHER_WEB, OWN_COMPUTER])
def test_a_badge_is_nobodys_by_being_merged_into_a_verified_app(uri: str, door: Door) -> None:
    main, other = app_of("Claude", uri=WEB, state="verified"), app_of("Claude", uri=uri)
    merge(main, other)
    assert VERIFIED_HEADING.format("Claude") in consent_page(door, "Claude", WEB)
    page = consent_page(door, "Claude", uri)
    assert "<h1>“<bdi>Claude</bdi>” wants" in page
    assert state(other) == "approved"


def test_nor_by_verifying_what_it_is_merged_into(door: Door) -> None:
    main, other = app_of("Claude", uri=WEB, state="approved"), app_of("Claude", uri=OTHER_WEB, state="approved")
    merge(main, other)
    decide(main, "verified")
    assert (state(main), state(other)) == ("verified", "approved")
    assert "<h1>“<bdi>Claude</bdi>” wants" in consent_page(door, "Claude", OTHER_WEB)


def test_a_badge_that_an_alias_had_is_kept_while_the_app_that_stays_has_one(door: Door) -> None:
    main, other = app_of("Claude", uri=WEB, state="verified"), app_of("Claude", uri=OTHER_WEB, state="verified")
    merge(main, other)
    assert VERIFIED_HEADING.format("Claude") in consent_page(door, "Claude", OTHER_WEB)
    decide(main, "approved")
    decide(main, "verified")
    assert (state(main), state(other)) == ("verified", "approved")


def test_a_verified_app_that_is_merged_into_an_approved_one_has_no_badge_any_more() -> None:
    main, other = app_of("A", state="approved"), app_of("B", uri=WEB, state="verified")
    merge(main, other)
    assert state(other) == "approved"


def test_another_apps_name_is_no_name_that_an_operator_answers_for(door: Door) -> None:
    """A registration at the alias's place under the verified app's name is neither of the two."""
    main, other = app_of("Claude", uri=WEB, state="verified"), app_of("Other", uri=OTHER_WEB)
    merge(main, other)
    page = consent_page(door, "Claude", OTHER_WEB)
    assert "This is not <bdi>Claude</bdi>." in page


@pytest.mark.parametrize("blocked", ["main", "other"])
def test_a_blocked_app_is_merged_with_no_other_until_somebody_says_what_becomes_of_the_block(blocked: str) -> None:
    main = app_of("A", state="blocked" if blocked == "main" else "approved")
    other = app_of("B", state="blocked" if blocked == "other" else "approved")
    with pytest.raises(BlockUndecided):
        merge(main, other)
    assert not App.objects.filter(merged_into__isnull=False).exists()


def test_a_merge_lifts_no_block_of_the_app_that_stays() -> None:
    main, other = app_of("A", state="blocked"), app_of("B", state="approved")
    with pytest.raises(BlockUndecided):
        merge(main, other, block=Block.LIFT)
    merge(main, other, block=Block.EXTEND)
    assert (state(main), state(other)) == ("blocked", "blocked")


def test_a_block_that_is_extended_ends_the_sessions_of_all(db: None) -> None:
    approval = approve(client=make_client(name="Good", registration_source="dcr"))
    main, other = App.objects.get(pk=approval.client.app_id), app_of("Bad", state="blocked")
    done = merge(main, other, block=Block.EXTEND)
    assert done.sessions == 1
    assert TokenSession.objects.get().closed_at is not None
    assert register(client_name="Good", redirect_uris=["http://localhost/x"]).status_code == 403
    steps = set(AuditEvent.objects.filter(receipt=done.receipt).values_list("event", flat=True))
    assert steps == {"app.merged", "app.blocked", "app.revoking", "session.revoked", "app.revoked"}


def test_a_block_that_is_lifted_brings_no_old_session_back() -> None:
    approval = approve(client=make_client(name="Bad", registration_source="dcr"))
    tokens, other = approval.redeem(), App.objects.get(pk=approval.client.app_id)
    App.objects.filter(pk=other.pk).update(state="blocked")  # and whoever blocked it died before a session ended
    other.refresh_from_db()
    merge(app_of("Main", state="approved"), other, block=Block.LIFT)
    assert state(other) == "approved"
    assert post(approval.refresh_form(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert "access_token" in approve(client=approval.client, resource=approval.resource).redeem()


def test_a_block_of_the_app_ends_what_every_alias_has() -> None:
    resource = make_resource()
    approvals = [approve(client=make_client(name=name, registration_source="dcr"), resource=resource) for name in "AB"]
    main, other = App.objects.order_by("pk")
    merge(main, other)
    assert decide(main, "blocked") == 2
    assert post(approvals[1].form).json()["error"] == "invalid_client"
    assert register(client_name="B", redirect_uris=["http://localhost/x"]).status_code == 403


def test_a_block_of_an_alias_blocks_all_of_it_and_nothing_else_is_decided_about_one() -> None:
    main, other = app_of("A"), app_of("B")
    merge(main, other)
    with pytest.raises(app_registry.Overtaken):
        decide(other, "approved")
    decide(other, "blocked")
    assert (state(main), state(other)) == ("blocked", "blocked")


def test_who_has_not_seen_a_block_does_not_lift_it() -> None:
    app = app_of("A")
    looked_at = App.objects.get(pk=app.pk)
    decide(app, "blocked")
    with pytest.raises(app_registry.Overtaken):
        app_registry.decide(looked_at, "approved", actor="root", now=timezone.now())
    assert state(app) == "blocked"


def test_a_merge_of_what_was_decided_about_meanwhile_changes_nothing() -> None:
    main, other = app_of("A", state="approved"), app_of("B")
    App.objects.filter(pk=other.pk).update(state="blocked")
    with pytest.raises(Overtaken):
        merge(main, other)
    App.objects.filter(pk=other.pk).update(state="pending")
    merge(main, other)
    with pytest.raises(Overtaken):
        merge(app_of("C"), other)


def test_what_an_operator_configured_is_an_app_of_its_own() -> None:
    configured = make_client(name="Ours", registration_source="manual").app
    for main, other in ((configured, app_of("A")), (app_of("B"), configured)):
        with pytest.raises(NotMergeable):
            merge(main, other)


def test_the_aliases_of_a_merged_app_come_with_it_and_scopes_hold_for_all() -> None:
    main, middle, last = app_of("A", allowed_scopes="mcp:tools"), app_of("B"), app_of("C")
    merge(middle, last)
    merge(main, middle)
    assert set(App.objects.filter(merged_into=main)) == {middle, last}
    for name in "ABC":
        client = Client.objects.select_related("app").get(name=name)
        assert client.scopes_allowed() == {"mcp:tools"}
    event = AuditEvent.objects.get(event="app.merged", detail__into=str(main.pk))
    assert event.detail["changes"] == {"state": ["pending", "pending"], "allowed_scopes": ["", "mcp:tools"]}
    assert (event.actor, event.reason) == ("root", "one product")


@pytest.mark.parametrize(
    ("before", "block", "meanwhile", "after"),
    [
        ("pending", "", "approved", "pending"),
        ("approved", "", "approved", "approved"),
        ("approved", "", "pending", "pending"),
        ("approved", "", "blocked", "blocked"),
        ("pending", "", "blocked", "blocked"),
        ("blocked", Block.LIFT, "approved", "blocked"),
    ],
)
def test_what_is_split_out_is_what_it_was_or_less(before: str, block: str, meanwhile: str, after: str) -> None:
    main, other = app_of("A", state="approved"), app_of("B", state=before)
    merge(main, other, block=block)
    decide(main, meanwhile)
    split(main, other)
    found = App.objects.get(pk=other.pk)
    assert (found.state, found.merged_into, found.state_before_merge) == (after, None, "")
    assert state(main) == meanwhile


def test_what_is_split_out_takes_its_registrations_and_its_later_ones() -> None:
    main, other = app_of("A", state="approved"), app_of("B")
    merge(main, other)
    split(main, other)
    registered(client_name="B", redirect_uris=["http://localhost/x"])
    assert {client.app.main_key for client in Client.objects.filter(name="B")} == {other.pk}
    assert AuditEvent.objects.get(event="app.split").detail["changes"] == {"state": ["approved", "pending"]}
    with pytest.raises(Overtaken):
        app_merging.split(main.pk, other.pk, seen="pending", actor="root", reason="again", now=timezone.now())


def test_a_block_that_comes_back_with_the_split_ends_what_was_opened_meanwhile(door: Door) -> None:
    main, other = app_of("A", state="approved"), App.objects.get(pk=door.client.app_id)
    decided("blocked")
    App.objects.filter(pk=main.pk).update(state="approved")
    merge(App.objects.get(pk=main.pk), App.objects.get(pk=other.pk), block=Block.LIFT)
    approval = approve(client=door.client, resource=door.resource)
    assert split(main, other).sessions == 1
    assert post(approval.form).json()["error"] == "invalid_client"
