"""`manage.py revoke`: each way to name what ends, what it prints, and what it refuses."""

from __future__ import annotations

from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEvent, Credential, TokenSession, User
from tests.harness.approval import Approval, approve, make_client, make_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def approval() -> Approval:
    made = approve(client=make_client("app"), provider=make_provider())
    User.objects.filter(pk=made.user.pk).update(email="ada@example.com")
    made.redeem()
    return made


def run(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("revoke", *arguments, stdout=out)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("named", ["session", "user", "address", "client", "upstream", "connection"])
def test_it_ends_what_is_named_and_prints_a_receipt(named: str, approval: Approval) -> None:
    arguments = {
        "session": ["--session", approval.tsid],
        "user": ["--user", str(approval.user.pk)],
        "address": ["--user", "ADA@example.com"],
        "client": ["--client", "app"],
        "upstream": ["--upstream", "github"],
        "connection": ["--upstream", "github", "--user", "ada@example.com"],
    }[named]
    assert run(*arguments, "--dry-run") == [
        "would end 1 sessions, 1 refresh tokens",
        "would destroy 1 credentials of github, tell it of 0",
    ]
    assert TokenSession.objects.get().closed_at is None
    ended, destroyed, receipt = run(*arguments, "--reason", "laptop stolen")
    assert ended == "ended 1 sessions, 1 refresh tokens"
    assert destroyed == "destroyed 1 credentials of github, 0 queued for revocation there"
    assert AuditEvent.objects.filter(receipt=receipt.removeprefix("receipt "), reason="laptop stolen").count() >= 3
    assert TokenSession.objects.get().closed_at is not None
    assert not Credential.objects.exists()


@pytest.mark.parametrize(
    "arguments",
    [[], ["--session", "nope"], ["--user", "nobody@example.com"], ["--user", str(uuid4())], ["--client", "nope"],
     ["--upstream", "nope"], ["--session", "a", "--user", "b"], ["--client", "app", "--upstream", "github"]],
    ids=["nothing", "session", "address", "user", "client", "upstream", "two", "two others"],
)  # fmt: skip
def test_what_it_cannot_do_it_says_and_fails(arguments: list[str], approval: Approval) -> None:
    with pytest.raises(CommandError):
        run(*arguments)
    assert TokenSession.objects.get(tsid=approval.tsid).closed_at is None


def test_an_address_of_two_people_is_nobodys(approval: Approval) -> None:
    User.objects.create(username="other", email="ada@example.com")
    with pytest.raises(CommandError, match="several people"):
        run("--user", "ada@example.com")
