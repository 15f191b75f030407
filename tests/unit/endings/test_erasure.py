"""A person who is forgotten: nothing opens anything, nothing says who they were, and the trail keeps what happened."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.test import Client as Http
from django.utils import timezone
from social_django.models import UserSocialAuth

from accounts.models import AuditEvent, BrowserSession, Credential, TokenSession, User
from authserver import erasure
from authserver.models import Consent
from tests.harness import operators
from tests.harness.approval import Approval, approve, make_provider, make_resource_server, make_user, post
from tests.unit.api.test_revocations import ask, told

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
NAME, ADDRESS = "Ada Lovelace-Canary", "ada-canary@example.com"


@pytest.fixture
def approval() -> Approval:
    user = make_user(name=NAME, email=ADDRESS)
    UserSocialAuth.objects.create(user=user, provider="github", uid="subject-canary", extra_data={})
    made = approve(user=user, provider=make_provider())
    make_resource_server(made.resource)
    TokenSession.objects.update(address="203.0.113.77", user_agent="Browser-Canary")
    Consent.objects.create(
        user=user, client=made.client, redirect_host="x", resource=made.resource, granted_at=timezone.now()
    )
    return made


def everything() -> str:
    """Every row of every table, but for the trail."""
    rows = [
        str(vars(row)) for model in apps.get_models() if model is not AuditEvent for row in model._default_manager.all()
    ]
    return "\n".join(rows)


def test_nothing_opens_anything_and_nothing_says_who_they_were(approval: Approval) -> None:
    tokens = approval.redeem()
    assert ADDRESS in everything()
    receipt = erasure.forget(approval.user, reason="asked for", actor="root", now=timezone.now())
    assert (receipt.sessions, dict(receipt.destroyed)) == (1, {"github": 1})
    for trace in (NAME, ADDRESS, "subject-canary", "203.0.113.77", "Browser-Canary"):
        assert trace not in everything()
    assert not Credential.objects.exists()
    assert not Consent.objects.exists()
    assert post(approval.refresh_form(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert AuditEvent.objects.filter(user_id=approval.user.pk, event="user.forgotten", receipt=receipt.id).exists()


def test_servers_that_check_offline_hear_of_it_until_every_token_is_over(approval: Approval) -> None:
    now = timezone.now()
    erasure.forget(approval.user, reason="x", now=now)
    assert erasure.purge(now=now + timedelta(days=1), limit=10) == 0
    assert told(ask()) == {approval.tsid}
    assert erasure.purge(now=now + erasure.KEPT, limit=10) == 1
    assert not User.objects.filter(pk=approval.user.pk).exists()
    assert AuditEvent.objects.filter(user_id=approval.user.pk).exists()


def test_they_are_signed_out_of_every_browser(approval: Approval) -> None:
    for _ in range(2):
        Http().force_login(approval.user)
    elsewhere = Http()
    elsewhere.force_login(make_user())
    erasure.forget(approval.user, reason="x", now=timezone.now())
    assert list(BrowserSession.objects.values_list("session_key", flat=True)) == [elsewhere.session.session_key]


def test_doing_it_twice_is_no_error(approval: Approval) -> None:
    now = timezone.now()
    assert [erasure.forget(approval.user, reason="x", now=now).sessions for _ in range(2)] == [1, 0]


def test_whoever_signs_in_again_is_somebody_new(approval: Approval) -> None:
    erasure.forget(approval.user, reason="x", now=timezone.now())
    assert not UserSocialAuth.objects.exists()
    assert User.objects.get(pk=approval.user.pk).username == f"forgotten-{approval.user.pk.hex}"


def operator(*permissions: str) -> Http:
    user = User.objects.create_user("operator", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return operators.signed_in(user)


def act(http: Http, *people: User, **form: str) -> str:
    fields = {"action": "forget", "_selected_action": [person.pk for person in people], **form}
    answer = http.post("/admin/accounts/user/", urlencode(fields, doseq=True),
                       content_type="application/x-www-form-urlencoded", follow=True)  # fmt: skip
    return answer.content.decode()


def test_the_console_asks_first_and_wants_a_reason(approval: Approval) -> None:
    http = operator("view_user", "change_user", "delete_user")
    assert "at once and for good" in act(http, approval.user)
    assert "at once and for good" in act(http, approval.user, confirmed="1", reason="")
    assert User.objects.get(pk=approval.user.pk).email == ADDRESS
    assert "Forgot 1 person." in act(http, approval.user, confirmed="1", reason="asked for")
    assert User.objects.get(pk=approval.user.pk).email == ""


def test_operators_are_not_forgotten_by_those_who_may_not_change_them(approval: Approval) -> None:
    root = User.objects.create_superuser("root", email="root@example.com")
    act(operator("view_user", "change_user", "delete_user"), root, confirmed="1", reason="x")
    assert User.objects.get(pk=root.pk).is_superuser
    act(operator_without(), approval.user, confirmed="1", reason="x")
    assert User.objects.get(pk=approval.user.pk).email == ADDRESS


def operator_without() -> Http:
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    return operators.signed_in(user)
