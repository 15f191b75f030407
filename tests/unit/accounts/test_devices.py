"""A session's device, as whoever sat before it would name it."""

from __future__ import annotations

import pytest

from accounts.devices import MAX_SHOWN, describe

MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
PHONE = ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
         "Mobile/15E148 Safari/604.1")  # fmt: skip
LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"
EDGE = ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 "
        "Edg/130.0.0.0")  # fmt: skip


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (MAC, "Chrome on Mac OS X"),
        (PHONE, "Mobile Safari on iOS"),
        (LINUX, "Firefox on Linux"),
        (EDGE, "Edge on Windows"),
        ("my-agent/1.0 (internal)", "my-agent"),
        ("", ""),
    ],
)
def test_it_is_named_as_people_do(user_agent: str, words: str) -> None:
    assert describe(user_agent) == words


@pytest.mark.parametrize("user_agent", ["x" * 512, "\x00\x01", "ü" * 500, "(((((" * 100, "Mozilla/" * 60])
def test_whatever_is_sent_it_is_short_and_breaks_nothing(user_agent: str) -> None:
    assert len(describe(user_agent)) <= MAX_SHOWN
