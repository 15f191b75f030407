"""The shared cache, for what may be lost: one that does not answer, or holds nonsense, is as good as an empty one."""

from __future__ import annotations

from typing import Any

import structlog
from django.core.cache import cache

from accounts import metrics

log = structlog.get_logger(__name__)


def _away(error: Exception) -> None:
    metrics.CACHE_ERRORS.count()
    log.warning("the cache does not answer", error=type(error).__name__)


def recall(key: str) -> Any:
    """What was remembered, from whatever process; None where there is nothing, or no cache that answers."""
    try:
        return cache.get(key)
    except Exception as error:  # each backend has its own; none of them may be what takes sign-in down
        _away(error)
        return None


def remember(key: str, value: Any, *, seconds: float) -> None:
    """For `seconds`, if the cache can be had."""
    try:
        cache.set(key, value, seconds)
    except Exception as error:
        _away(error)


def claim(key: str, *, seconds: float) -> bool:
    """Whether this caller is the first of all processes to claim it, until `let_go` or for `seconds`.

    Everybody is where the cache does not answer: it saves work, and decides nothing.
    """
    try:
        return bool(cache.add(key, True, seconds))
    except Exception as error:
        _away(error)
        return True


def let_go(key: str) -> None:
    """End a claim; where the cache does not answer it runs out."""
    try:
        cache.delete(key)
    except Exception as error:
        _away(error)
