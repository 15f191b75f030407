"""One message under one key of 256 bits: salt, nonce, ciphertext and tag, bound to what it belongs to.

Each message has a key of its own, derived from the given key and a random 128-bit salt (HKDF-Expand, RFC 5869 section
2.3). Random 96-bit nonces under the given key itself would be safe for 2^32 messages only (NIST SP 800-38D section 8.3),
which a million credentials refreshed every hour reach within half a year; with a salt there is no bound to watch, for one
HMAC a message.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from accounts.vault.base import Damaged

KEY_BYTES = 32
_SALT_BYTES = 16
_NONCE_BYTES = 12
_TAG_BYTES = 16


def encrypt(key: bytes, plaintext: bytes, associated: str) -> str:
    """Base64url text that only the same key and `associated` text open."""
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    return encode(salt + nonce + _cipher(key, salt).encrypt(nonce, plaintext, _bytes(associated)))


def decrypt(key: bytes, encoded: str, associated: str) -> bytes:
    """The plaintext. Raises `Damaged` for anything that is not exactly what `encrypt` gave."""
    raw = decode(encoded)
    salt, nonce, ciphertext = raw[:_SALT_BYTES], raw[_SALT_BYTES:][:_NONCE_BYTES], raw[_SALT_BYTES + _NONCE_BYTES :]
    if len(ciphertext) < _TAG_BYTES:
        raise Damaged("truncated")
    try:
        return _cipher(key, salt).decrypt(nonce, ciphertext, _bytes(associated))
    except InvalidTag:
        raise Damaged("altered, or sealed for another place") from None


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(encoded: str) -> bytes:
    """The one reading of canonical base64url. Raises `Damaged` for any other spelling."""
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Damaged("not a sealed value") from None
    if encode(raw) != encoded:
        raise Damaged("not the spelling it was sealed with")
    return raw


def is_key_id(text: str) -> bool:
    """What a key may be called: it stands in every value that the key seals."""
    return 0 < len(text) <= 32 and text.isascii() and text.isalnum()


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    """HKDF-Expand to 32 bytes is one HMAC: the keys are uniformly random, so there is nothing to extract."""
    return AESGCM(hmac.digest(key, b"authserver vault message key" + salt + b"\x01", "sha256"))


def _bytes(associated: str) -> bytes:
    return associated.encode("utf-8", "surrogatepass")
