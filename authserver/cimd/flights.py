"""Fetches under way: one at a time for a URL, few at a time in all, so that some threads stay free."""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from authserver import shared_cache
from authserver.cimd.errors import Busy

MAX_IN_FLIGHT = 2  # of the four threads a worker has by default
WAIT_SECONDS = 2.0  # who waits holds a thread too; most fetches take less
SLOT_WAIT_SECONDS = 1.0
CLAIM_SECONDS = 8.0  # longer than a fetch, and what a process that was killed leaves behind
PAUSE_SECONDS = 0.05

_locks = tuple(Lock() for _ in range(64))
_slots = BoundedSemaphore(MAX_IN_FLIGHT)


@contextmanager
def only_one(client_id: str) -> Iterator[None]:
    """Wait for another fetch of the same URL by this process. Raises `Busy` when it takes too long."""
    lock = _locks[zlib.crc32(client_id.encode()) % len(_locks)]
    if not lock.acquire(timeout=WAIT_SECONDS):
        raise Busy("The client's metadata document is still being fetched. Try again in a moment.")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def only_one_anywhere(client_id: str) -> Iterator[None]:
    """The same over all processes that share a cache. Raises `Busy` when it takes too long."""
    key = f"cimd-fetching:{hashlib.sha256(client_id.encode()).hexdigest()}"
    with only_one(client_id):
        give_up_at = time.monotonic() + WAIT_SECONDS
        while not shared_cache.claim(key, seconds=CLAIM_SECONDS):
            if time.monotonic() >= give_up_at:
                raise Busy("The client's metadata document is still being fetched. Try again in a moment.")
            time.sleep(PAUSE_SECONDS)
        try:
            yield
        finally:
            shared_cache.let_go(key)


@contextmanager
def slot() -> Iterator[None]:
    """One of the process's few fetches. Raises `Busy` when none gets free."""
    if not _slots.acquire(timeout=SLOT_WAIT_SECONDS):
        raise Busy("Too many metadata documents are being fetched. Try again in a moment.")
    try:
        yield
    finally:
        _slots.release()
