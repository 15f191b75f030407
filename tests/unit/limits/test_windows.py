"""Sliding windows in memory, and how long a cache that is away is left alone."""

from __future__ import annotations

from authserver.limits import Pause
from authserver.windows import MemoryWindows


class Clock:
    """Seconds, as somebody sets them."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_so_many_pass_in_any_window_and_the_next_when_the_oldest_has_left_it() -> None:
    clock = Clock()
    windows = MemoryWindows(now=clock)
    came = []
    for clock.now in (1000, 1030, 1040, 1059.9, 1060, 1061, 1089, 1090):
        came.append(windows.acquire_entry("a", limit=2, expiry=60))
    assert came == [True, True, False, False, True, False, False, True]
    assert windows.get_moving_window("a", limit=2, expiry=60) == (1060, 2)


def test_keys_do_not_know_each_other() -> None:
    windows = MemoryWindows(now=Clock())
    assert [windows.acquire_entry(key, limit=1, expiry=60) for key in ("a", "a", "b")] == [True, False, True]


def test_nobody_there_has_an_empty_window_that_begins_now() -> None:
    assert MemoryWindows(now=Clock()).get_moving_window("a", limit=2, expiry=60) == (1000, 0)


def test_a_flood_of_addresses_takes_no_more_memory_and_who_still_asks_is_not_forgotten() -> None:
    windows = MemoryWindows(most_keys=100, now=Clock())
    windows.acquire_entry("guesser", limit=1, expiry=60)
    for number in range(10_000):
        windows.acquire_entry(f"address {number}", limit=1, expiry=60)
        if number % 50 == 0:
            assert not windows.acquire_entry("guesser", limit=1, expiry=60)
    assert windows.reset() == 100


def test_a_cache_that_did_not_answer_is_asked_again_after_a_pause_by_one() -> None:
    pause = Pause()
    assert pause.is_over(0.0)
    pause.begin(10.0)
    assert not pause.is_over(10.0)
    assert not pause.is_over(10.0 + Pause.SECONDS - 0.1)
    assert [pause.is_over(10.0 + Pause.SECONDS) for _ in range(3)] == [True, False, False]
    pause.end()
    assert [pause.is_over(10.0 + Pause.SECONDS) for _ in range(3)] == [True, True, True]
