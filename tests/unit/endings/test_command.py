"""`manage.py revoke`: each way to name what ends, what it prints, and what it refuses."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.browser_sessions import SessionStore
from accounts.models import AuditEvent, BrowserSession, Credential, TokenSession, User
from authserver.models import Consent
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
     ["--upstream", "nope"], ["--session", "a", "--user", "b"], ["--client", "app", "--upstream", "github"],
     ["--sessions-in", "/nowhere"], ["--all", "--opened-before", "yesterday"],
     ["--all", "--opened-before", "2027-02-23T12:00:00"], ["--client", "app", "--opened-before", "2027-02-23"],
     ["--all", "--client", "app"]],
    ids=["nothing", "session", "address", "user", "client", "upstream", "two", "two others", "file", "moment", "no offset",
         "before of a client", "all and one"],
)  # fmt: skip
def test_what_it_cannot_do_it_says_and_fails(arguments: list[str], approval: Approval) -> None:
    with pytest.raises(CommandError):
        run(*arguments)
    assert TokenSession.objects.get(tsid=approval.tsid).closed_at is None


def test_an_address_of_two_people_is_nobodys(approval: Approval) -> None:
    User.objects.create(username="other", email="ada@example.com")
    with pytest.raises(CommandError, match="several people"):
        run("--user", "ada@example.com")


def test_after_a_restore_everything_ends_that_was_opened_before_it(approval: Approval) -> None:
    """What was ended since the backup lives again there, and nothing says what that was."""
    restored_at = timezone.now()
    newer = approve(client=approval.client, resource=approval.resource)
    Consent.objects.create(
        user=approval.user, client=approval.client, resource=approval.resource, granted_at=restored_at
    )
    SessionStore().create()
    assert run("--all", "--opened-before", restored_at.isoformat(), "--dry-run")[0] == (
        "would end 1 sessions, 1 refresh tokens"
    )
    assert run("--all", "--opened-before", restored_at.isoformat())[0] == "ended 1 sessions, 1 refresh tokens"
    assert list(TokenSession.objects.filter(closed_at=None).values_list("tsid", flat=True)) == [newer.tsid]
    assert not Consent.objects.exists()
    assert not BrowserSession.objects.exists()
    assert run("--all")[0] == "ended 1 sessions, 0 refresh tokens"
    assert run("--all")[0] == "ended 0 sessions, 0 refresh tokens"


def test_sessions_are_named_in_a_file_as_a_log_lists_them(approval: Approval, tmp_path: Path) -> None:
    other = approve(client=approval.client, resource=approval.resource)
    file = tmp_path / "tsids"
    file.write_text(f"{approval.tsid}\nlong-gone\n\n{approval.tsid}\n")
    assert run("--sessions-in", str(file), "--dry-run")[0] == "would end 1 sessions, 1 refresh tokens"
    assert run("--sessions-in", str(file))[0] == "ended 1 sessions, 1 refresh tokens"
    assert TokenSession.objects.get(closed_at=None).tsid == other.tsid
