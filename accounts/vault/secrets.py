"""Secrets of ours and of the operator's, sealed: client secrets at providers, private signing keys.

The context says whose secret it is (`provider:<name>:client_secret`, `signing-key:<kid>:private`): copied to another
row, it does not open.
"""

from __future__ import annotations

import structlog

from accounts import metrics
from accounts.vault.base import Damaged
from accounts.vault.sealing import sealing

log = structlog.get_logger(__name__)


def seal_secret(value: str, context: str) -> str:
    """`value` as ASCII text that only this context opens."""
    return sealing().seal(value.encode("utf-8", "surrogatepass"), sealing_context(context))


def open_secret(sealed: str, context: str) -> str:
    """The value that `seal_secret` took. Raises `Damaged`."""
    try:
        return sealing().open(sealed, sealing_context(context)).decode("utf-8", "surrogatepass")
    except Damaged as error:
        metrics.VAULT_FAILURES.count("secret")
        log.warning("vault.secret_damaged", context=context, reason=str(error))
        raise


def sealing_context(context: str) -> str:
    """What a secret is sealed to: apart from everything that is not a secret of ours."""
    return f"secret:{context}"
