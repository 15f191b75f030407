"""The database around a refresh: let go while the provider is asked, and stored into whatever happens.

The provider may have forgotten the old tokens, so the new ones are not lost to a hiccup.

A database that is away for a moment, or a KMS that does not answer, is tried again for `STORE_SECONDS`. A write that took
effect although its answer was lost is found out by the next attempt: the version has moved on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from accounts import metrics
from accounts.vault import vault
from accounts.vault.base import CredentialState, SealingUnavailable, TokenSet
from upstream.errors import TemporarilyUnavailable

log = structlog.get_logger(__name__)

STORE_SECONDS = 5
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 0.5


def let_go() -> None:
    """Give the connection back where it came from a pool: whoever waits for a provider keeps none from others."""
    if connection.settings_dict["OPTIONS"].get("pool") and not connection.in_atomic_block:
        connection.close()


def store(
    seen: CredentialState,
    given: TokenSet,
    *,
    dead_reason: str,
    now: Callable[[], datetime],
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> bool:
    """As the vault's `replace`. Raises `TemporarilyUnavailable("not_stored")`, loudly, where it cannot be done in time."""
    give_up_at = monotonic() + STORE_SECONDS
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return vault().credentials.replace(
                seen.id, given, version_seen=seen.version, now=now(), dead_reason=dead_reason
            )
        except (OperationalError, InterfaceError, SealingUnavailable) as error:
            reason = type(error).__name__
        if monotonic() >= give_up_at:
            metrics.VAULT_FAILURES.count("not_stored")
            log.error("upstream.refresh", outcome="not_stored", reason=reason, upstream=seen.provider)
            raise TemporarilyUnavailable("not_stored", provider=seen.provider)
        if not connection.in_atomic_block:
            close_old_connections()  # a broken one is not used again
        sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
