"""The columns of ours that hold sealed values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts.vault.database_credentials import tokens_context
from accounts.vault.sealed_columns import SealedColumn, register


def _tokens(row: Mapping[str, Any]) -> str:
    return tokens_context(row["pk"], row["user_id"], row["provider"])


for _model in ("accounts.Credential", "accounts.Revocation"):  # a credential's tokens move to the other as they are
    register(SealedColumn(_model, "sealed_tokens", ("user_id", "provider"), _tokens))
