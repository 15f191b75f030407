"""The column of ours that holds sealed values: our secret at each provider."""

from __future__ import annotations

from accounts.vault.sealed_columns import SealedColumn, register
from accounts.vault.secrets import sealing_context
from upstream.providers import secret_context

register(
    SealedColumn(
        "upstream.Provider", "client_secret_sealed", ("name",), lambda row: sealing_context(secret_context(row["name"]))
    )
)
