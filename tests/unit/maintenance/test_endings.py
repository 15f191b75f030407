"""Whatever ends a session queues what its providers are to be told, and asks which those are once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Credential, Revocation, User
from accounts.vault import vault
from accounts.vault.base import TokenSet
from authserver import cascade
from authserver.housekeeping import steps
from authserver.models import Client, RefreshToken
from tests.harness import operators
from tests.harness.approval import approve, make_client, make_provider, make_resource, make_user, post
from tests.harness.registration import manage, registered
from upstream import revoke
from upstream.models import Provider

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


@pytest.fixture
def provider(db: None) -> Provider:
    return make_provider(on_session_end="revoke_when_unused")


def queued() -> list[tuple[str, str]]:
    return list(Revocation.objects.values_list("provider", "tsid"))


@pytest.fixture
def operator(db: None) -> Http:
    return operators.signed_in(User.objects.create_superuser("root"))


def test_the_console(provider: Provider, operator: Http) -> None:
    approval = approve(provider=provider)
    operator.post(f"/admin/accounts/tokensession/{quote(approval.tsid)}/revoke/", {"reason": "stolen"})
    assert queued() == [("github", approval.tsid)]
    assert not Credential.objects.exists()


def test_a_persons_deactivation(provider: Provider, operator: Http) -> None:
    approval = approve(provider=provider)
    operator.post(
        f"/admin/accounts/user/{approval.user.pk}/change/", {"username": "ada", "is_active": "", "_save": "1"}
    )
    assert queued() == [("github", approval.tsid)]


def test_a_client_that_deletes_its_registration(provider: Provider) -> None:
    answer = registered()
    approval = approve(client=Client.objects.get(client_id=answer["client_id"]), provider=provider)
    assert manage("DELETE", answer).status_code == 204
    assert queued() == [("github", approval.tsid)]


def test_a_code_that_comes_again(provider: Provider) -> None:
    approval = approve(provider=provider)
    approval.redeem()
    assert post(approval.form).status_code == 400
    assert queued() == [("github", approval.tsid)]


def test_a_refresh_token_that_comes_again(provider: Provider) -> None:
    approval = approve(provider=provider)
    first = approval.redeem()["refresh_token"]
    post(approval.refresh_form(first))
    RefreshToken.objects.update(replay_until=timezone.now() - timedelta(minutes=1))
    assert post(approval.refresh_form(first)).status_code == 400
    assert queued() == [("github", approval.tsid)]


def test_running_out(provider: Provider) -> None:
    approval = approve(provider=provider, now=timezone.now() - timedelta(days=1))
    sweep = next(steps())
    assert sweep.run() == {"ended": 1}
    assert queued() == [("github", approval.tsid)]


def test_a_sign_in_that_led_nowhere(provider: Provider) -> None:
    then = timezone.now() - timedelta(hours=2)
    vault().credentials.keep(make_user().pk, "github", "1", TokenSet("unused"), now=then)
    assert next(steps()).run() == {"ended": 1}
    assert queued() == [("github", "")]


def test_a_provider_whose_tokens_are_kept_is_not_told() -> None:
    approval = approve(provider=make_provider())
    assert cascade.revoke_session(approval.tsid, reason="test")
    assert queued() == []


def statements(call: Any) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        call()
    return [query["sql"] for query in captured]


def test_the_providers_to_tell_are_asked_for_once_however_many_sessions_end(provider: Provider) -> None:
    client, user, resource = make_client(), make_user(), make_resource()
    for _ in range(5):
        approve(client=client, user=user, resource=resource, provider=provider)
    asked = [sql for sql in statements(lambda: cascade.revoke_user(user, reason="x")) if "on_session_end" in sql]
    assert len(asked) == 1


def test_a_change_of_what_a_provider_is_told_counts_at_once(provider: Provider) -> None:
    receipt = cascade.revoke_session(approve(provider=provider).tsid, reason="x")
    assert receipt is not None
    assert receipt.queued == {"github": 1}
    provider.on_session_end = Provider.SessionEnd.KEEP
    provider.save()
    again = approve(client=make_client(), resource=make_resource("https://b.example/mcp"), provider=provider)
    receipt = cascade.revoke_session(again.tsid, reason="x")
    assert receipt is not None
    assert (receipt.destroyed, receipt.queued) == ({"github": 1}, {})


def test_ending_a_session_is_five_statements_and_one_more_where_a_provider_is_told(provider: Provider) -> None:
    """Its refresh tokens; the session, its links, the credential; the trail."""
    for tells, expected in ((True, 6), (False, 5)):
        provider.on_session_end = Provider.SessionEnd.REVOKE if tells else Provider.SessionEnd.KEEP
        provider.save()
        revoke.providers_to_tell()
        resource = make_resource(f"https://{tells}.example/mcp")
        approval = approve(client=make_client(), resource=resource, provider=provider)
        approval.redeem()
        with CaptureQueriesContext(connection) as captured:
            cascade.revoke_session(approval.tsid, reason="x")
        of_ours = [query["sql"] for query in captured if not query["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN"))]
        assert len(of_ours) == expected, of_ours
