"""What each ending ends, under one receipt: a client, a person, a connection, an upstream, a resource."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Http
from django.utils import timezone

from accounts.models import AuditEvent, BrowserSession, Credential, Revocation, TokenSession, User
from accounts.vault.base import TokenSet
from authserver import cascade, receipts
from authserver.models import RefreshToken, ResourceUpstream
from tests.harness.approval import Approval, approve, make_client, make_provider, make_resource, make_user, post
from tests.harness.between import before
from upstream.models import Provider

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


@pytest.fixture
def github(db: None) -> Provider:
    return make_provider("github", on_session_end="revoke_when_unused")


def approved(user: User, provider: Provider, resource: str, **fields: Any) -> Approval:
    tokens = TokenSet(access_token="a", refresh_token="r", scopes=("repo",))
    return approve(
        user=user, provider=provider, client=make_client(), resource=make_resource(resource, **fields), tokens=tokens
    )


def still_open() -> set[str]:
    return set(TokenSession.objects.filter(closed_at=None).values_list("tsid", flat=True))


def test_a_connection_ends_with_the_sessions_that_need_it_and_others_go_on_without(github: Provider) -> None:
    user, other = make_user(), make_user()
    needs, can_do_without = (
        approved(user, github, "https://a.example/mcp"),
        approved(user, github, "https://b.example/mcp"),
    )
    theirs = approved(other, github, "https://c.example/mcp")
    ResourceUpstream.objects.filter(resource=can_do_without.resource).update(required=False)
    receipt = cascade.revoke_connection(user, "github", reason="person", actor="person")
    assert still_open() == {can_do_without.tsid, theirs.tsid}
    assert (receipt.sessions, dict(receipt.destroyed), dict(receipt.queued)) == (1, {"github": 1}, {"github": 1})
    assert list(Credential.objects.values_list("user_id", flat=True)) == [other.pk]
    assert Revocation.objects.get().receipt == receipt.id
    steps = AuditEvent.objects.filter(receipt=receipt.id).order_by("id").values_list("event", flat=True)
    assert list(steps) == ["connection.revoking", "session.revoked", "connection.revoked", "connection.revoked"]
    assert needs.tsid not in still_open()


def test_an_upstream_ends_for_everybody(github: Provider) -> None:
    for number in range(3):
        approved(make_user(), github, f"https://{number}.example/mcp")
    google = make_provider("google")
    kept = approved(make_user(), google, "https://google.example/mcp")
    receipt = cascade.revoke_upstream("github", reason="compromised")
    assert (receipt.sessions, receipt.destroyed["github"], receipt.is_whole) == (3, 3, True)
    assert still_open() == {kept.tsid}
    assert list(Credential.objects.values_list("provider", flat=True)) == ["google"]


def test_so_many_end_at_most_and_the_receipt_says_that_there_are_more(github: Provider) -> None:
    """Whoever waits for the answer goes on: what can do without the upstream loses it with the last go."""
    for number in range(3):
        approved(make_user(), github, f"https://{number}.example/mcp")
    optional = approved(make_user(), github, "https://optional.example/mcp")
    ResourceUpstream.objects.filter(resource=optional.resource).update(required=False)
    first, last = (cascade.revoke_upstream("github", reason="admin", words="leaked", most=2) for _ in range(2))
    assert (first.sessions, first.is_whole) == (2, False)
    assert (last.sessions, last.is_whole) == (1, True)
    assert still_open() == {optional.tsid}
    assert not Credential.objects.exists()
    steps = AuditEvent.objects.filter(receipt=last.id).order_by("id").values_list("event", "reason")
    assert list(steps) == [
        ("connections.revoking", "leaked"),
        ("session.revoked", "admin"),
        ("connection.revoked", "admin"),
        ("connections.revoked", "leaked"),
    ]


def test_signing_a_person_out_too_comes_first_and_is_a_step(github: Provider) -> None:
    approval = approved(make_user(), github, "https://a.example/mcp")
    Http().force_login(approval.user)
    receipt = cascade.revoke_user(approval.user, reason="admin", browsers_too=True)
    assert (receipt.sessions, BrowserSession.objects.exists()) == (1, False)
    assert AuditEvent.objects.get(receipt=receipt.id, event="browser_session.ended").detail == {"browsers": 1}


def test_a_resource_ends_with_its_sessions(github: Provider) -> None:
    user = make_user()
    gone, kept = approved(user, github, "https://a.example/mcp"), approved(user, github, "https://b.example/mcp")
    assert cascade.revoke_resource(gone.resource, reason="gone").sessions == 1
    assert still_open() == {kept.tsid}
    assert Credential.objects.exists(), "the other session uses it still"


def test_a_receipt_is_complete_once_every_provider_was_told(github: Provider) -> None:
    approval = approved(make_user(), github, "https://a.example/mcp")
    receipt = cascade.revoke_user(approval.user, reason="left")
    kept = receipts.find(receipt.id)
    assert kept is not None
    assert [step.event for step in kept.steps] == ["user.revoking", "session.revoked", "user.revoked"]
    assert not kept.is_complete
    Revocation.objects.update(state="done")
    after = receipts.find(receipt.id)
    assert after is not None
    assert after.is_complete


def test_one_that_was_killed_on_the_way_shows_it_and_goes_on_where_it_was(
    github: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_user()
    for number in range(3):
        approved(user, github, f"https://{number}.example/mcp")
    end = cascade._end
    done: list[Any] = []

    def die_after_one(*args: Any) -> bool:
        if done:
            raise KeyboardInterrupt
        done.append(args)
        return end(*args)

    monkeypatch.setattr(cascade, "_end", die_after_one)
    with pytest.raises(KeyboardInterrupt):
        cascade.revoke_user(user, reason="left")
    monkeypatch.undo()
    assert list(AuditEvent.objects.filter(event__startswith="user.").values_list("event", flat=True)) == [
        "user.revoking"
    ]
    assert len(still_open()) == 2
    assert cascade.revoke_user(user, reason="left").sessions == 2
    assert not still_open()


def test_a_preview_says_what_would_end_and_ends_nothing(github: Provider) -> None:
    user = make_user()
    first, second = approved(user, github, "https://a.example/mcp"), approved(user, github, "https://b.example/mcp")
    first.redeem()
    one = receipts.preview([first.tsid], now=timezone.now())
    assert (one.sessions, one.refresh_tokens, one.destroyed) == (1, 1, {}), (
        "the other session uses the credential still"
    )
    both = receipts.preview([first.tsid, second.tsid], now=timezone.now())
    assert (both.destroyed, both.told) == ({"github": 1}, {"github": 1})
    assert len(still_open()) == 2


def test_a_preview_looks_into_so_many_and_says_that_there_are_more(
    github: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "MAX_PREVIEWED", 2)
    user = make_user()
    tsids = [approved(user, github, f"https://{number}.example/mcp").tsid for number in range(3)]
    would = receipts.preview(iter(tsids), now=timezone.now())
    assert (would.sessions, would.is_whole) == (2, False)
    assert receipts.preview(tsids[:2], now=timezone.now()).is_whole


def test_a_code_that_is_redeemed_in_the_middle_leaves_no_lineage(github: Provider) -> None:
    approval = approved(make_user(), github, "https://a.example/mcp")
    given: list[dict[str, Any]] = []
    with before(lambda sql: "SET closed_at" in sql, lambda: given.append(approval.redeem())):
        receipt = cascade.revoke_session(approval.tsid, reason="admin")
    assert receipt is not None
    assert receipt.refresh_tokens == 1
    assert RefreshToken.objects.get().revoked is not None
    refreshed = post(approval.refresh_form(given[0]["refresh_token"]))
    assert (refreshed.status_code, refreshed.json()["error"]) == (400, "invalid_grant")
