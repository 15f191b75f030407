"""`manage.py rotate_signing_key`: it says what it did and what comes when, and fails where it could not."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import AuditEvent
from authserver.keys.material import generate, to_pem
from authserver.models import SigningKey
from tests.unit.signing_keys.conftest import Configure, by_phase, key

pytestmark = pytest.mark.django_db
Phase = SigningKey.Phase


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_signing_key", *arguments, stdout=out)
    return out.getvalue()


def published(minutes: int) -> str:
    """The kid of the next key, published so many minutes ago."""
    row = SigningKey.objects.get(phase=Phase.NEXT)
    SigningKey.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(minutes=minutes))
    return row.kid


def test_a_turn_by_hand_is_the_same_command_twice() -> None:
    said = run()
    [old], [new] = by_phase()["active"], by_phase()["next"]
    assert f"{new} is published.\n" in said
    assert f"{new}  ES256  next     takes over with the next run from " in said
    assert f"{old}  ES256  active   the next turn begins from " in said
    published(5 * 60)
    assert "takes over" in run()
    assert by_phase()["active"] == [old]
    published(6 * 60)
    assert f"{new} signs from now on.\n" in (said := run())
    assert f"{old}  ES256  retired  is removed from " in said
    SigningKey.objects.filter(kid=old).update(retired_at=timezone.now() - timedelta(days=2))
    assert f"{old} is gone" in run()
    assert {event.actor for event in AuditEvent.objects.filter(event="signing_key.activated")} == {"rotate_signing_key"}


def test_in_a_hurry_ten_minutes_are_enough_and_less_is_refused() -> None:
    with pytest.raises(CommandError, match="would refuse what it signs"):
        run("--now")
    kid = published(9)
    with pytest.raises(CommandError, match="would refuse what it signs"):
        run("--now")
    published(10)
    assert f"{kid} signs from now on." in run("--now")


def test_revoking_says_what_happens_next() -> None:
    old = key(Phase.ACTIVE, timezone.now())
    said = run("--revoke", old, "--reason", "found on a train")
    assert f"Revoked: {old}." in said
    assert f"signs with {by_phase()['active'][0]}." in said
    assert AuditEvent.objects.get(event="signing_key.revoked").reason == "found on a train"
    with pytest.raises(CommandError, match="no such key, or no longer"):
        run("--revoke", old)


def test_a_turn_and_a_revocation_are_not_one_command() -> None:
    with pytest.raises(CommandError, match="not allowed with"):
        run("--now", "--revoke", "kid")


@pytest.mark.parametrize(
    ("source", "what_to_do"),
    [
        ("pem.PemSigner", "AUTHSERVER_SIGNING_KEY_FILE"),
        ("ephemeral.EphemeralSigner", "Restart the process"),
        ("kms.KmsSigner", "AUTHSERVER_SIGNING_KMS_KEYS"),
    ],
)
@pytest.mark.parametrize("arguments", [[], ["--now"], ["--revoke", "kid"]])
def test_other_sources_are_refused_with_what_to_do_there(
    configure: Configure, tmp_path: Path, source: str, what_to_do: str, arguments: list[Any]
) -> None:
    (tmp_path / "signing.pem").write_text(to_pem(generate()))
    configure(signing_backend=f"authserver.keys.{source}", signing_key_file=str(tmp_path / "signing.pem"))
    with pytest.raises(CommandError, match=f"not in the database.*{what_to_do}"):
        run(*arguments)
