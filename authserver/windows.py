"""Sliding windows in this process's memory, for `limits`: where there is no shared cache, and while it does not answer.

Ours, because the library's own keeps every key for ever, and walks over all of them after each request: a flood from many
addresses would cost more with every one.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from limits.storage import MovingWindowSupport, Storage

MOST_KEYS = 20_000
"""Who has been quiet for longest is forgotten first. About 50 MB, if each has sent 60 requests in its window."""


class MemoryWindows(Storage, MovingWindowSupport):
    """A storage for `MovingWindowRateLimiter` and no other strategy. `now` in seconds since 1970, as its answers are."""

    STORAGE_SCHEME = None  # no URL names it

    def __init__(self, *, most_keys: int = MOST_KEYS, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._times: OrderedDict[str, list[float]] = OrderedDict()  # when each that was let in came, oldest first
        self._most_keys = most_keys
        self._now = now
        self._lock = Lock()

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Whether there is room for it among the `limit` of the last `expiry` seconds; noted if there is."""
        with self._lock:
            now = self._now()
            times = self._since(now - expiry, key)
            if len(times) + amount > limit:
                return False
            times.extend([now] * amount)
            return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest in the window came (now, where there is none), and how many there are."""
        with self._lock:
            now = self._now()
            times = self._since(now - expiry, key)
            return (times[0] if times else now), len(times)

    def _since(self, start: float, key: str) -> list[float]:
        times = self._times.setdefault(key, [])
        self._times.move_to_end(key)
        if len(self._times) > self._most_keys:
            self._times.popitem(last=False)
        while times and times[0] <= start:
            del times[0]
        return times

    # --- The rest of a storage. What only fixed windows ask for is refused: nobody here counts by them ---
    @property
    def base_exceptions(self) -> type[Exception]:
        return MemoryError

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        with self._lock:
            forgotten = len(self._times)
            self._times.clear()
            return forgotten

    def clear(self, key: str) -> None:
        with self._lock:
            self._times.pop(key, None)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        raise NotImplementedError

    def get(self, key: str) -> int:
        raise NotImplementedError

    def get_expiry(self, key: str) -> float:
        raise NotImplementedError
