"""A process starts only with the keys for what is stored, and can tell without reading it."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import VaultKey
from accounts.vault import key_check
from accounts.vault.base import SealingUnavailable
from accounts.vault.key_check import KeysUnfit
from accounts.vault.keyring import KeyRingSealing
from accounts.vault.sealing import sealing
from authserver.housekeeping import Step
from authserver.housekeeping_loop import do
from authserver.management.commands.maintenance import _fit
from tests.unit.vault_keys.conftest import KEYS, Restart

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def note() -> None:
    key_check.note(now=timezone.now())


def test_the_first_start_notes_its_key_and_the_next_ones_nothing(restart: Restart) -> None:
    key_check.verify()
    note()
    row = VaultKey.objects.get()
    assert row.id == "k1"
    assert row.check_value.startswith("v1.k1.")
    note()
    assert VaultKey.objects.get().check_value == row.check_value
    key_check.verify()


def test_a_key_that_only_opens_is_not_noted(restart: Restart) -> None:
    restart("k2", "k1")
    note()
    assert [row.id for row in VaultKey.objects.all()] == ["k2"]


def test_all_that_is_missing_or_wrong_is_named_at_once(restart: Restart) -> None:
    note()
    restart("k2", "k1")
    note()
    restart("k3", k2=b"x" * 32)
    with pytest.raises(KeysUnfit) as unfit:
        key_check.verify()
    lines = str(unfit.value).splitlines()
    assert lines[1].startswith("  - k1: is not there")
    assert lines[2].startswith("  - k2: is not the key that was used under this name")
    assert "AUTHSERVER_KMS_KEYS): k3, k2. Nothing was changed." in lines[3]
    assert len(lines) == 4


def test_a_retired_key_may_be_missing_and_may_not_seal(restart: Restart) -> None:
    note()
    restart("k2", "k1")
    note()
    VaultKey.objects.filter(pk="k1").update(retired_at=timezone.now())
    restart("k2")
    key_check.verify()
    restart("k1", "k2")
    with pytest.raises(KeysUnfit, match="k1: has been retired"):
        key_check.verify()


def test_a_check_value_put_under_another_name_does_not_pass(restart: Restart) -> None:
    restart("k2", "k1")
    note()
    restart("k1", "k2")
    note()
    VaultKey.objects.filter(pk="k1").update(check_value=VaultKey.objects.get(pk="k2").check_value)
    with pytest.raises(KeysUnfit, match="k1"):
        key_check.verify()


def test_of_two_keys_that_begin_under_one_name_at_once_one_is_refused(
    restart: Restart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody mistyped the new key on one host: it learns that at its start, before it seals anything."""
    ours = sealing()
    seal = ours.seal

    def the_other_is_quicker(plaintext: bytes, context: str) -> str:
        sealed = KeyRingSealing({"k1": KEYS["k2"]}).seal(plaintext, context)
        VaultKey.objects.create(id="k1", check_value=sealed, first_used_at=timezone.now())
        return seal(plaintext, context)

    monkeypatch.setattr(ours, "seal", the_other_is_quicker)
    with pytest.raises(KeysUnfit, match="k1: is not the key that was used under this name"):
        note()


def test_a_kms_that_cannot_be_asked_is_no_wrong_key(restart: Restart, monkeypatch: pytest.MonkeyPatch) -> None:
    note()

    def away(sealed: str, context: str) -> bytes:
        raise SealingUnavailable("KMS cannot be asked")

    monkeypatch.setattr(sealing(), "open", away)
    with pytest.raises(SealingUnavailable, match="k1 cannot be checked now: KMS cannot be asked"):
        key_check.verify()
    for command in ("bootstrap", "maintenance", "rotate_vault_key"):
        with pytest.raises(CommandError, match="k1 cannot be checked now"):
            call_command(command)
    assert [message.id for message in run_checks(databases=["default"])] == ["authserver.E008"]


def test_it_costs_two_statements_however_much_is_stored(restart: Restart) -> None:
    note()
    with CaptureQueriesContext(connection) as captured:
        key_check.verify()
    assert len(captured) <= 2


def test_bootstrap_refuses_and_says_what_is_missing(restart: Restart) -> None:
    note()
    restart("k2")
    with pytest.raises(CommandError, match="k1: is not there"):
        call_command("bootstrap")
    assert [row.id for row in VaultKey.objects.all()] == ["k1"], "nothing is noted by a start that is refused"


def test_so_does_the_system_check(restart: Restart) -> None:
    note()
    restart("k2")
    found = [message for message in run_checks(databases=["default"]) if message.id == "authserver.E008"]
    assert [("k1: is not there" in message.msg) for message in found] == [True]


@pytest.mark.parametrize("arguments", [(), ("--loop",)])
def test_maintenance_does_not_begin_either(restart: Restart, arguments: tuple[str, ...]) -> None:
    note()
    restart("k2")
    with pytest.raises(CommandError, match="k1: is not there"):
        call_command("maintenance", *arguments)


def test_a_process_whose_keys_no_longer_fit_is_not_ready_and_ends_its_maintenance(
    restart: Restart, client: Client
) -> None:
    """Others turned a key over, and forgot this one: it must not go on as if what it cannot open were damaged."""
    note()
    assert client.get("/readyz").json()["vault_keys"] == "ok"
    restart("k2", "k1")
    note()
    restart("k1")
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["vault_keys"]) == (503, "failed")
    with pytest.raises(KeysUnfit, match="k2: is not there"):
        do(Step("vault keys", 60, 1, _fit), lambda step, done: None)
