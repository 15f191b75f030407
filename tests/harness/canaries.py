"""Secrets that must not be found, in every spelling that a careless program gives them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

SHORTEST = 12  # bytes; anything shorter is found by chance


def spellings(secret: str) -> dict[str, bytes]:
    """How `secret` may stand in other text: as it is, reversed, in hexadecimal, percent-encoded, escaped as JSON, and in
    base64 and base64url, inside longer text too (so at each of the three places it may start in a group of four)."""
    raw = secret.encode()
    assert len(raw) >= SHORTEST, "too short to look for"
    found = {
        "plain": raw,
        "reversed": raw[::-1],
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "percent": quote(secret, safe="").encode(),
        "form": quote_plus(secret).encode(),
        "every byte percent": "".join(f"%{byte:02X}" for byte in raw).encode(),
    }
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + raw).rstrip(b"=")
        # What stands at the ends also depends on the neighbours.
        inner = whole[(0, 2, 3)[offset] : len(whole) - (1 if (offset + len(raw)) % 3 else 0)]
        found[f"base64+{offset}"] = inner
        found[f"base64url+{offset}"] = inner.replace(b"+", b"-").replace(b"/", b"_")
    return found


def found(secrets: Mapping[str, str], places: Iterable[tuple[str, bytes]]) -> list[str]:
    """Each place where one of `secrets` (name to value) stands, as `name, spelled so, in place`; never the value."""
    needles = [(name, how, text) for name, value in secrets.items() for how, text in spellings(value).items()]
    return list(dict.fromkeys(_found(needles, places)))


def _found(needles: list[tuple[str, str, bytes]], places: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    for place, content in places:
        for name, how, text in needles:
            if text in content:
                yield f"{name}, {how}, in {place}"
