"""`rotate_vault_key` where something is wrong: with a value, with the operator's steps, with another process."""

from __future__ import annotations

import pytest
from django.core.management import CommandError
from django.db import connection

from accounts.models import AuditEvent, Credential, Revocation, VaultKey
from accounts.vault import key_check, vault
from accounts.vault.base import SealingUnavailable
from accounts.vault.database import DatabaseVault
from accounts.vault.keyring import KeyRingSealing
from accounts.vault.sealing import sealing
from authserver.keys.database import DatabaseSigner
from authserver.management.commands import rotate_vault_key
from tests.contracts.people import NOW, person, tokens
from tests.documentation.documents import ROOT, fenced
from tests.unit.vault_keys.conftest import KEYS, Restart
from tests.unit.vault_keys.stock import all_sealed, deploy, rotate, stocked

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def test_what_does_not_open_keeps_its_key_and_is_named(restart: Restart) -> None:
    stocked()
    credential = Credential.objects.get()
    Credential.objects.update(sealed_tokens=Revocation.objects.get().sealed_tokens)
    deploy(restart, "k2", "k1")
    with pytest.raises(CommandError, match="1 with k1"):
        rotate()
    assert VaultKey.objects.get(pk="k1").retired_at is None
    event = AuditEvent.objects.get(event="vault.damaged")
    assert (event.detail["model"], event.detail["object"]) == ("accounts.Credential", str(credential.pk))
    Credential.objects.all().delete()
    assert "k1 is retired" in rotate()


def test_what_a_lost_key_sealed_is_not_passed_over_and_keeps_no_other_key(restart: Restart) -> None:
    """Its row was removed, as docs/vault-keys.md has it; or it is still there, retired."""
    stocked()
    VaultKey.objects.all().delete()
    deploy(restart, "k2")
    vault().credentials.keep(person().pk, "google", "1", tokens(), now=NOW)
    deploy(restart, "k3", "k2")
    with pytest.raises(CommandError, match="5 with no key that was ever used here") as refused:
        rotate()
    assert "accounts.Credential" in str(refused.value)
    assert "sealed with the vault key k1, which is not in the ring" in str(refused.value)
    assert VaultKey.objects.get(pk="k2").retired_at is not None
    VaultKey.objects.create(id="k1", check_value="x", first_used_at=NOW, retired_at=NOW)
    with pytest.raises(CommandError, match=r"5 with k1 \(not here\)"):
        rotate()


def test_it_does_not_begin_with_keys_that_do_not_fit(restart: Restart) -> None:
    stocked()
    restart("k2")
    with pytest.raises(CommandError, match="k1: is not there"):
        rotate()
    assert all(value.startswith("v1.k1.") for value in all_sealed())


def test_a_dry_run_fails_where_a_retired_key_seals_still(restart: Restart) -> None:
    """A process that was forgotten: it has the old key first, and goes on."""
    stocked()
    deploy(restart, "k2", "k1")
    rotate()
    assert rotate(dry_run=True)
    restart("k1", "k2")
    vault().credentials.keep(person().pk, "google", "1", tokens(), now=NOW)
    deploy(restart, "k2", "k1")
    with pytest.raises(CommandError, match="retired, or is not here: 1 with k1"):
        rotate(dry_run=True)
    restart("k2")
    with pytest.raises(CommandError, match=r"1 with k1 \(not here\)"):
        rotate(dry_run=True)
    restart("k2", "k1")
    assert "1 values are sealed anew" in rotate()
    assert rotate(dry_run=True)


def test_a_process_that_seals_with_the_old_key_meanwhile_is_found_out(
    restart: Restart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each value that is sealed anew it adds one: no pass finds the end."""
    stocked()
    deploy(restart, "k2", "k1")
    elsewhere = DatabaseVault(KeyRingSealing({"k1": KEYS["k1"]}))
    ours = sealing()
    opened_before = ours.open

    def busy_elsewhere(sealed: str, context: str) -> bytes:
        found = opened_before(sealed, context)
        elsewhere.credentials.keep(person().pk, "google", "1", tokens(), now=NOW)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(ours, "open", busy_elsewhere)
        patch.setattr(rotate_vault_key, "PASSES", 2)
        with pytest.raises(CommandError, match="A process still seals with an old key: put the new one first there"):
            rotate()
    assert VaultKey.objects.get(pk="k1").retired_at is None
    assert not AuditEvent.objects.filter(event="vault.damaged").exists()
    assert "k1 is retired" in rotate()


def test_two_at_once_do_no_harm(restart: Restart, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second runs from its beginning to its end while the first has a value in its hands."""
    tsid = stocked()
    deploy(restart, "k2", "k1")
    ours = sealing()
    opened_before = ours.open
    printed: list[str] = []

    def another_run(sealed: str, context: str) -> bytes:
        found = opened_before(sealed, context)
        if not printed and context.startswith("credential:"):
            printed.append("")
            printed[0] = rotate()
        return found

    monkeypatch.setattr(ours, "open", another_run)
    assert "0 values are sealed anew" in rotate()
    assert "5 values are sealed anew" in printed[0]
    assert AuditEvent.objects.filter(event="vault.key_retired").count() == 1
    assert vault().credentials.tokens(tsid, "github", now=NOW).tokens == tokens()


def test_a_key_that_no_server_has_first_takes_nothing_over(restart: Restart) -> None:
    """The configuration was changed, and nobody restarted: what it would seal, nobody could open."""
    stocked()
    restart("k2", "k1")
    with pytest.raises(CommandError, match="k2 has not come into use"):
        rotate()
    assert all(value.startswith("v1.k1.") for value in all_sealed())
    restart("k1", "k2")
    assert "k2: behind k1, and sealed nothing" in rotate()


def test_an_older_configuration_does_not_undo_what_a_newer_one_does(restart: Restart) -> None:
    stocked()
    deploy(restart, "k2", "k1")
    rotate_of_k2 = all_sealed()
    restart("k1", "k2")
    with pytest.raises(CommandError, match="k2 came into use after k1, which is first here"):
        rotate()
    assert all_sealed() == rotate_of_k2
    assert "k2 is retired" in rotate(back=True)
    assert all(value.startswith("v1.k1.") for value in all_sealed())


def test_planted_text_is_counted_and_not_printed(restart: Restart) -> None:
    stocked()
    Credential.objects.update(sealed_tokens="ya29.CANARY.0123456789")
    with pytest.raises(CommandError, match="1 with no key that was ever used here") as refused:
        rotate()
    assert "CANARY" not in str(refused.value)


def test_a_kms_that_goes_away_stops_it_and_harms_nothing(restart: Restart, monkeypatch: pytest.MonkeyPatch) -> None:
    stocked()
    deploy(restart, "k2", "k1")
    ours = sealing()

    def away(sealed: str, context: str) -> bytes:
        raise SealingUnavailable("KMS cannot be asked")

    with monkeypatch.context() as patch:
        patch.setattr(key_check, "verify", lambda: None)
        patch.setattr(ours, "open", away)
        with pytest.raises(CommandError, match=r"Stopped: KMS cannot be asked\. What is done stays done"):
            rotate()
    assert VaultKey.objects.get(pk="k1").retired_at is None
    assert not AuditEvent.objects.filter(event="vault.damaged").exists()
    assert "5 values are sealed anew" in rotate()


def test_what_the_document_says_of_a_lost_key_lets_a_server_start_without_it(restart: Restart) -> None:
    stocked()
    restart("k2")
    with pytest.raises(key_check.KeysUnfit):
        key_check.verify()
    [said] = fenced((ROOT / "docs" / "vault-keys.md").read_text(), "sql")
    with connection.cursor() as cursor:
        for line in said.splitlines():
            cursor.execute(line.partition(";")[0])
    deploy(restart, "k2")
    DatabaseSigner().ping()
    with pytest.raises(CommandError, match=r"4 with k1 \(not here\)"):
        rotate(dry_run=True)
