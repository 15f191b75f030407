"""How full this process's connection pool is, noted every few seconds by whichever request comes along."""

from __future__ import annotations

import time
from typing import Any

from django.db import connection

from accounts import metrics

EVERY_SECONDS = 5.0

_noted_at = float("-inf")


def note() -> None:
    """Cheap when it is not due. Two threads at once note it twice, which does no harm."""
    global _noted_at  # noqa: PLW0603  # one a process, as the pool is
    now = time.monotonic()
    if now - _noted_at < EVERY_SECONDS:
        return
    _noted_at = now
    given: Any = connection
    if connection.vendor != "postgresql" or not connection.settings_dict["OPTIONS"].get("pool"):
        return
    stats = given.pool.get_stats()
    idle = stats.get("pool_available", 0)
    metrics.POOL.set(stats.get("pool_size", 0) - idle, "used")
    metrics.POOL.set(idle, "idle")
    metrics.POOL.set(stats.get("requests_waiting", 0), "waiting")
