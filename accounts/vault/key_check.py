"""Whether this process has the keys for what is stored: told by a check value for each key, not by reading every row.

A key's check value is a known text sealed with it. It is noted when the key is first used to seal, and is asked for at
every start until `rotate_vault_key` has shown that nothing names the key any more.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from accounts.models import VaultKey
from accounts.vault.base import Damaged, SealingUnavailable
from accounts.vault.sealing import sealing, sealing_key_id

_KNOWN = b"authserver vault key check"


class KeysUnfit(Exception):
    """This process must not start. The message names every key that is missing or wrong, and what to do."""


def verify() -> None:
    """Raise `KeysUnfit` where a key in use is not here, or another one stands under its id, and `SealingUnavailable` where
    that cannot be said now. Two statements at most. Before the first migration there is nothing to open.
    """
    if not _has_table():
        return
    flaws, unknown = [], []
    for row in VaultKey.objects.order_by("first_used_at"):
        if row.retired_at is not None:
            if row.id == sealing_key_id():
                flaws.append(f"{row.id}: has been retired; put another key first")
            continue
        try:
            if flaw := _flaw(row):
                flaws.append(flaw)
        except SealingUnavailable as error:
            unknown.append(f"the vault key {row.id} cannot be checked now: {error}")
    if flaws:
        raise KeysUnfit(
            "The vault keys do not fit what is stored. Missing or wrong:\n  - " + "\n  - ".join(flaws)
            + f"\nConfigured here (AUTHSERVER_VAULT_KEYS, AUTHSERVER_KMS_KEYS): {', '.join(sealing().prefixes)}. "
            "Nothing was changed. docs/vault-keys.md says what to do."
        )  # fmt: skip
    if unknown:
        raise SealingUnavailable("; ".join(unknown))


def note(*, now: datetime) -> None:
    """Remember the key that seals here, if it is new. Of several processes at once one is heard, and one that has another
    key under the same id learns it here, before it seals anything: `KeysUnfit`.
    """
    key_id = sealing_key_id()
    if _has_table() and not VaultKey.objects.filter(pk=key_id).exists():
        check = VaultKey(id=key_id, check_value=sealing().seal(_KNOWN, _context(key_id)), first_used_at=now)
        VaultKey.objects.bulk_create([check], ignore_conflicts=True)
        verify()


def _has_table() -> bool:
    return VaultKey._meta.db_table in connection.introspection.table_names()


def _flaw(row: VaultKey) -> str:
    """What is wrong with our key of this id, in words; empty for nothing."""
    if row.id not in sealing().prefixes:
        return f"{row.id}: is not there; add it behind the others, and run rotate_vault_key before you take it away"
    try:
        known = sealing().open(row.check_value, _context(row.id))
    except Damaged:
        return f"{row.id}: is not the key that was used under this name"
    return "" if known == _KNOWN else f"{row.id}: its check value was tampered with"


def _context(key_id: str) -> str:
    return f"vault-key:{key_id}:check"
