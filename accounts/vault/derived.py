"""Sealing under a key that only the holder of a token has.

The answer to a refresh is kept for the replay window under a key derived from the token it took: whoever presents
that token again gets the identical answer, and a copy of the database alone reveals nothing.
"""

from __future__ import annotations

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from accounts.vault.base import Damaged

_NONCE_BYTES = 12


def seal_under(secret: str, plaintext: bytes, context: str) -> str:
    """Base64 text that opens only with the same `secret` (at least 128 random bits) and `context`."""
    nonce = os.urandom(_NONCE_BYTES)
    return base64.b64encode(nonce + _cipher(secret).encrypt(nonce, plaintext, context.encode())).decode()


def open_under(secret: str, sealed: str, context: str) -> bytes:
    """The plaintext. Raises `Damaged` for another secret, another context, or anything altered."""
    try:
        raw = base64.b64decode(sealed, validate=True)
        return _cipher(secret).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode())
    except (InvalidTag, ValueError):  # ValueError: not base64, or too short to hold a nonce
        raise Damaged("the kept answer does not open") from None


def _cipher(secret: str) -> AESGCM:
    key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"authserver kept answer").derive(secret.encode())
    return AESGCM(key)
