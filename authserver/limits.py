"""Rate limits: sliding windows in the shared cache (behaviour.md, Limits). `authserver.rate_limits` lists them.

`settings.RATE_LIMITS` says how much: name to `"10/minute"`, empty for no limit. Without a shared cache, and while it does
not answer, each process counts for itself: a cache must neither take sign-in down nor let everybody guess.
"""

from __future__ import annotations

import hashlib
import math
import time
from functools import cache
from typing import Any

import redis  # noqa: F401  # whole, before any request: `limits` takes what is in sys.modules, half imported by another thread
import structlog
from django.conf import settings
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import RedisStorage, Storage
from limits.strategies import MovingWindowRateLimiter

from accounts import metrics
from authserver.errors import OAuthError
from authserver.windows import MemoryWindows

log = structlog.get_logger("limits")


class TooMany(Exception):
    """For where the answer is not JSON. `wait_seconds` is what `Retry-After` is to say."""

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(wait_seconds)
        self.wait_seconds = wait_seconds


def hit(name: str, key: str) -> int | None:
    """Count one use of `name` by `key`: None while it is within the limit, else the seconds to wait (at least 1).

    For pages; the log has a line about it.
    """
    wait_seconds = _count(name, key)
    if wait_seconds is not None:
        log.info("refused", status=429, reason=f"rate limit {name}")
    return wait_seconds


def enforce(name: str, key: str) -> None:
    """As `hit`, for machines. Raises `OAuthError` 429 with `Retry-After` (RFC 6585 section 4) when it is too much."""
    wait_seconds = _count(name, key)
    if wait_seconds is not None:
        raise OAuthError(
            "temporarily_unavailable",
            f"Too many requests. Try again in {wait_seconds} seconds.",
            status=429,
            detail=f"rate limit {name}",
            headers={"Retry-After": str(wait_seconds)},
        )


def _count(name: str, key: str) -> int | None:
    limit = _limit(settings.RATE_LIMITS[name])
    if limit is None:
        return None
    # Hashed, so that a client's own text neither grows the key nor reaches into another one.
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    wait_seconds = _limiter().hit(limit, name, digest)
    if wait_seconds is not None:
        metrics.RATE_LIMITED.count(name)
    return wait_seconds


class Pause:
    """How long a cache that did not answer is left alone, so that not every request waits for it.

    Of those that come when it is over, one asks. Times are seconds of a clock that never goes back.
    """

    SECONDS = 5.0

    def __init__(self) -> None:
        self._until = 0.0

    def is_over(self, now: float) -> bool:
        if now < self._until:
            return False
        if self._until:
            self.begin(now)  # for the others, until this one knows
        return True

    def begin(self, now: float) -> None:
        self._until = now + self.SECONDS

    def end(self) -> None:
        self._until = 0.0


class Limiter:
    """Counts with all processes, and alone while the cache between them does not answer."""

    def __init__(self) -> None:
        self._together = MovingWindowRateLimiter(_storage())
        self._alone = MovingWindowRateLimiter(MemoryWindows())
        self._pause = Pause()

    def hit(self, limit: RateLimitItem, name: str, key: str) -> int | None:
        """None where there is room for one more, which is counted; else the seconds until there is."""
        if self._pause.is_over(time.monotonic()):
            try:
                wait_seconds = _hit(self._together, limit, name, key)
            except StorageError as error:
                self._pause.begin(time.monotonic())
                metrics.CACHE_ERRORS.count()
                log.warning(
                    "the cache does not answer: this process counts alone", error=type(error.storage_error).__name__
                )
            else:
                self._pause.end()
                return wait_seconds
        metrics.RATE_LIMITS_ALONE.count(name)
        return _hit(self._alone, limit, name, key)


def _hit(limiter: MovingWindowRateLimiter, limit: RateLimitItem, name: str, key: str) -> int | None:
    if limiter.hit(limit, name, key):
        return None
    window = limiter.get_window_stats(limit, name, key)
    return max(1, math.ceil(window.reset_time - time.time()))


def _storage() -> Storage:
    """The shared cache; where none is, this process's memory."""
    cached = settings.CACHES["default"]
    if "redis" not in cached["BACKEND"].lower():
        return MemoryWindows()
    location = cached["LOCATION"]
    url: str = location if isinstance(location, str) else location[0]
    options: dict[str, Any] = cached.get("OPTIONS", {})
    return RedisStorage(url, wrap_exceptions=True, **options)


@cache
def _limit(text: str) -> RateLimitItem | None:
    return parse(text) if text else None


@cache
def _limiter() -> Limiter:
    return Limiter()
