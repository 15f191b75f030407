"""The column of ours that holds sealed values: the private halves of signing keys."""

from __future__ import annotations

from accounts.vault.sealed_columns import SealedColumn, register
from accounts.vault.secrets import sealing_context
from authserver.keys.database import private_key_context

register(
    SealedColumn(
        "authserver.SigningKey",
        "private_key_sealed",
        ("kid",),
        lambda row: sealing_context(private_key_context(row["kid"])),
    )
)
