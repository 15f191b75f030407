"""A process starts only with the keys for what is stored, and can tell without reading it."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import VaultKey
from accounts.vault import key_check
from accounts.vault.key_check import KeysUnfit
from tests.unit.vault_keys.conftest import Restart

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
    assert len(lines) == 3


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
