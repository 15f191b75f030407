"""Rate limits: sliding windows in the shared cache (behaviour.md, Limits).

`settings.RATE_LIMITS` says how much: name to `"10/minute"`, empty for no limit. Without a shared cache each process
counts for itself. A cache that cannot be reached limits nobody: it must not be what takes sign-in down.
"""

from __future__ import annotations

import hashlib
import math
import time
from functools import cache

import redis  # noqa: F401  # whole, before any request: `limits` takes what is in sys.modules, half imported by another thread
import structlog
from django.conf import settings
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from accounts import metrics
from authserver.errors import OAuthError

log = structlog.get_logger("limits")


def hit(name: str, key: str) -> int | None:
    """Count one use of `name` by `key`: None while it is within the limit, else the seconds to wait (at least 1)."""
    limit = _limit(settings.RATE_LIMITS[name])
    if limit is None:
        return None
    # Hashed, so that a client's own text neither grows the key nor reaches into another one.
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    try:
        if _limiter().hit(limit, name, digest):
            return None
        window = _limiter().get_window_stats(limit, name, digest)
    except StorageError as error:
        metrics.RATE_LIMITS_OFF.count(name)
        log.warning("rate limits are off: the cache does not answer", limit=name, error=type(error).__name__)
        return None
    metrics.RATE_LIMITED.count(name)
    return max(1, math.ceil(window.reset_time - time.time()))


def enforce(name: str, key: str) -> None:
    """As `hit`. Raises `OAuthError` 429 with `Retry-After` (RFC 6585 section 4) when it is too much."""
    wait_seconds = hit(name, key)
    if wait_seconds is not None:
        raise OAuthError(
            "temporarily_unavailable",
            f"Too many requests. Try again in {wait_seconds} seconds.",
            status=429,
            detail=f"rate limit {name}",
            headers={"Retry-After": str(wait_seconds)},
        )


@cache
def _limit(text: str) -> RateLimitItem | None:
    return parse(text) if text else None


@cache
def _limiter() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(storage_from_string(_storage_url(), wrap_exceptions=True))


def _storage_url() -> str:
    cached = settings.CACHES["default"]
    if "redis" not in cached["BACKEND"].lower():
        return "memory://"
    location = cached["LOCATION"]
    url: str = location if isinstance(location, str) else location[0]
    return f"redis+{url}" if url.startswith("unix://") else url
