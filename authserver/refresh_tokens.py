"""The refresh token's own form: it proves that we made it before the database is asked.

`asr_` + base64url(handle 16 | generation 4 | random 32 | HMAC-SHA256 32). The MAC's key is derived from our secret key
and is not in the database. So a made-up token ends nobody's session, while a genuine one of any older generation is
known as reuse without a row being kept for it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from functools import cache

from django.conf import settings

PREFIX = "asr_"
_LENGTH = 16 + 4 + 32 + 32


@dataclass(frozen=True)
class Genuine:
    """What a token says of itself, once its MAC was checked. `checksum` is the SHA-256 of the whole token."""

    handle: str
    generation: int
    checksum: str


def new_handle() -> str:
    """The public name of a lineage: 128 random bits, hexadecimal."""
    return secrets.token_hex(16)


def mint(handle: str, generation: int) -> str:
    """A fresh token of this lineage and generation."""
    payload = bytes.fromhex(handle) + struct.pack(">I", generation) + secrets.token_bytes(32)
    return PREFIX + base64.urlsafe_b64encode(payload + _mac(_keys()[0], payload)).decode()


def read(unverified: str) -> Genuine | None:
    """What the token says, or None for one that we did not make."""
    if not unverified.startswith(PREFIX) or len(unverified) != len(PREFIX) + _LENGTH * 4 // 3:
        return None
    try:
        raw = base64.b64decode(unverified.removeprefix(PREFIX), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    payload, mac = raw[:-32], raw[-32:]
    if not any(hmac.compare_digest(_mac(key, payload), mac) for key in _keys()):
        return None
    return Genuine(
        handle=payload[:16].hex(), generation=struct.unpack(">I", payload[16:20])[0], checksum=checksum(unverified)
    )


def checksum(token: str) -> str:
    """How a token is known in the database."""
    return hashlib.sha256(token.encode()).hexdigest()


def _mac(key: bytes, payload: bytes) -> bytes:
    return hmac.new(key, payload, hashlib.sha256).digest()


@cache
def _keys() -> tuple[bytes, ...]:
    """The current key first; fallbacks let a secret key turn over without ending every session."""
    return tuple(
        hmac.new(str(key).encode(), b"authserver refresh token v1", hashlib.sha256).digest()
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    )
