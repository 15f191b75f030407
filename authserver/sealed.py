"""The columns of ours that hold sealed values: the private halves of signing keys, the keys of authenticators."""

from __future__ import annotations

from accounts.vault.sealed_columns import SealedColumn, register
from accounts.vault.secrets import sealing_context
from authserver.keys.database import private_key_context
from authserver.second_factor import key_context

register(
    SealedColumn(
        "authserver.SigningKey",
        "private_key_sealed",
        ("kid",),
        lambda row: sealing_context(private_key_context(row["kid"])),
    )
)
register(
    SealedColumn(
        "authserver.Authenticator", "key_sealed", ("user_id",), lambda row: sealing_context(key_context(row["user_id"]))
    )
)
