"""`rotate_vault_key`: the first key takes over everything, and the others are retired once nothing names them."""

from __future__ import annotations

import base64

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, Credential, VaultKey
from accounts.vault import key_check, resealing, vault
from accounts.vault.keyring import KeyRingSealing
from accounts.vault.sealed_columns import all_columns
from accounts.vault.sealing import sealing
from authserver.keys.database import DatabaseSigner
from tests.contracts.people import NOW, kept, opened, person, tokens
from tests.unit.vault_keys.conftest import KEYS, Restart
from tests.unit.vault_keys.stock import SECRET, all_sealed, deploy, rotate, stocked
from upstream.models import Provider
from upstream.providers import client_secret

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def test_every_column_that_holds_sealed_values_is_known() -> None:
    """By name: a column of a new model that holds sealed values is called so."""
    from django.apps import apps

    named = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if "sealed" in field.name
    }
    under_a_token = {"authserver.RefreshToken.replay_sealed"}  # sealed under what only the token's holder has
    assert {str(column) for column in all_columns()} == named - under_a_token


def test_everything_is_sealed_anew_and_opens_with_the_new_key_alone(restart: Restart) -> None:
    tsid = stocked()
    assert len(all_sealed()) == 5
    before = Credential.objects.get()
    deploy(restart, "k2", "k1")
    printed = rotate()
    assert "5 values are sealed anew with k2." in printed
    assert "k1 is retired" in printed
    assert all(value.startswith("v1.k2.") for value in all_sealed())
    restart("k2")
    key_check.verify()
    assert vault().credentials.tokens(tsid, "github", now=NOW).tokens == tokens()
    assert client_secret(Provider.objects.get(name="github")) == SECRET
    assert vault().revocations.claim(now=NOW, until=NOW, limit=1)[0].tokens == tokens()
    DatabaseSigner().ping()
    assert Credential.objects.get().version == before.version, "no token changed"


def test_a_second_run_finds_nothing_to_do(restart: Restart) -> None:
    stocked()
    deploy(restart, "k2", "k1")
    rotate()
    sealed = all_sealed()
    assert "0 values are sealed anew" in rotate()
    assert all_sealed() == sealed


def test_it_is_in_the_audit_trail(restart: Restart) -> None:
    stocked()
    deploy(restart, "k2", "k1")
    rotate()
    events = AuditEvent.objects.filter(event__startswith="vault.").order_by("id")
    assert [(event.event, event.detail.get("key")) for event in events] == [
        ("vault.rotation_began", "k2"),
        ("vault.rotation_ended", "k2"),
        ("vault.key_retired", "k1"),
    ]


def test_interrupted_it_goes_on_where_it_stopped(restart: Restart, monkeypatch: pytest.MonkeyPatch) -> None:
    stocked()
    for _ in range(5):
        user = person()
        opened(vault(), user, kept(vault(), user))
    deploy(restart, "k2", "k1")
    monkeypatch.setattr(resealing, "BATCH", 2)
    [column] = [column for column in all_columns() if column.model == "accounts.Credential"]
    first = next(iter(resealing.reseal(column)))
    assert (first.seen, first.resealed) == (2, 2)
    assert "8 values are sealed anew" in rotate()


def test_a_refresh_in_between_is_not_lost(restart: Restart, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host, which still seals with the old key, stores new tokens between our look and our write."""
    tsid = stocked()
    deploy(restart, "k2", "k1")
    credential = Credential.objects.get()
    context = f"credential:{credential.id}:{credential.user_id}:github:tokens"
    elsewhere = KeyRingSealing({"k1": KEYS["k1"]})
    newer = elsewhere.seal(sealing().open(credential.sealed_tokens, context).replace(b"first", b"newer"), context)
    ours = sealing()
    opened_before = ours.open

    def refreshed_meanwhile(sealed: str, context: str) -> bytes:
        found = opened_before(sealed, context)
        if sealed == credential.sealed_tokens:
            Credential.objects.filter(pk=credential.pk).update(sealed_tokens=newer)
        return found

    monkeypatch.setattr(ours, "open", refreshed_meanwhile)
    rotate()
    monkeypatch.undo()
    assert vault().credentials.tokens(tsid, "github", now=NOW).tokens == tokens("newer")
    assert Credential.objects.get().sealed_tokens.startswith("v1.k2.")


def test_a_dry_run_counts_and_changes_nothing(restart: Restart) -> None:
    stocked()
    restart("k2", "k1")
    printed = rotate(dry_run=True)
    assert "accounts.Credential.sealed_tokens: 1 with k1" in printed
    assert all(value.startswith("v1.k1.") for value in all_sealed())
    assert [row.id for row in VaultKey.objects.all()] == ["k1"]


def test_ids_that_differ_in_case_only_are_two_keys(restart: Restart) -> None:
    stocked()
    restart(K1=KEYS["k2"], k1=KEYS["k1"])
    key_check.note(now=timezone.now())
    assert "k1 is retired" in rotate()
    assert all(value.startswith("v1.K1.") for value in all_sealed())
    assert "accounts.Credential.sealed_tokens: 1 with K1" in rotate(dry_run=True)


def test_a_new_key_is_printed_and_kept_nowhere(restart: Restart) -> None:
    printed = rotate(generate=True).strip()
    key_id, _, encoded = printed.partition(":")
    assert key_id.isalnum()
    assert len(base64.b64decode(encoded)) == 32
    assert not VaultKey.objects.exists()
    restart("k1", **{key_id: KEYS["k2"]})
    assert not rotate(generate=True).startswith(f"{key_id}:"), "each gets a name of its own"
