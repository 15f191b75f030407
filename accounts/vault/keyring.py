"""Sealing with AES-256-GCM under a ring of keys (`settings.VAULT_KEYS`): the first seals, all of them open.

A value is `v1.<key id>.<base64url of salt, nonce, ciphertext and tag>`. Each message has a key of its own, derived from
the ring's key and a random 128-bit salt (HKDF-Expand, RFC 5869 section 2.3). Random 96-bit nonces under the ring's key
itself would be safe for 2^32 messages only (NIST SP 800-38D section 8.3), which a million credentials refreshed every
hour reach within half a year; with a salt there is no bound to watch, for one HMAC a message.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from accounts.vault.base import Damaged

_FORMAT = "v1"
_SALT_BYTES = 16
_NONCE_BYTES = 12
_TAG_BYTES = 16


class KeyRingSealing:
    """Keys by id, in the process."""

    def __init__(self, keys: Mapping[str, bytes] | None = None) -> None:
        """`keys`: id to 32 bytes, in order; default `settings.VAULT_KEYS`."""
        self._keys = dict(settings.VAULT_KEYS if keys is None else keys)
        if not self._keys or any(len(key) != 32 for key in self._keys.values()):
            raise ImproperlyConfigured("VAULT_KEYS: at least one key of 32 bytes is needed")
        self._sealing_key_id = next(iter(self._keys))

    def seal(self, plaintext: bytes, context: str) -> str:
        key_id = self._sealing_key_id
        salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
        ciphertext = self._cipher(key_id, salt).encrypt(nonce, plaintext, _associated_data(key_id, context))
        return f"{_FORMAT}.{key_id}.{_encode(salt + nonce + ciphertext)}"

    def open(self, sealed: str, context: str) -> bytes:
        form, _, rest = sealed.partition(".")
        key_id, _, encoded = rest.partition(".")
        if form != _FORMAT or not key_id:
            raise Damaged("not a sealed value")
        if not key_id.isascii() or not key_id.isalnum() or len(key_id) > 32:
            raise Damaged("not a sealed value")
        if key_id not in self._keys:
            raise Damaged(f"sealed with the vault key {key_id}, which is not in the ring")
        raw = _decode(encoded)
        salt, nonce, ciphertext = (
            raw[:_SALT_BYTES],
            raw[_SALT_BYTES : _SALT_BYTES + _NONCE_BYTES],
            raw[_SALT_BYTES + _NONCE_BYTES :],
        )
        if len(ciphertext) < _TAG_BYTES:
            raise Damaged("truncated")
        try:
            return self._cipher(key_id, salt).decrypt(nonce, ciphertext, _associated_data(key_id, context))
        except InvalidTag:
            raise Damaged("altered, or sealed for another place") from None

    def ping(self) -> None:
        """Nothing to reach: the keys are here, and were checked at the start."""

    def _cipher(self, key_id: str, salt: bytes) -> AESGCM:
        """HKDF-Expand to 32 bytes is one HMAC: the ring's keys are uniformly random, so there is nothing to extract."""
        return AESGCM(hmac.digest(self._keys[key_id], b"authserver vault message key" + salt + b"\x01", "sha256"))


def _associated_data(key_id: str, context: str) -> bytes:
    """Format and key id are bound as well: neither can be rewritten."""
    return f"{_FORMAT}.{key_id}.{context}".encode("utf-8", "surrogatepass")


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(encoded: str) -> bytes:
    """The one reading of canonical base64url. Raises `Damaged` for any other spelling."""
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Damaged("not a sealed value") from None
    if _encode(raw) != encoded:
        raise Damaged("not the spelling it was sealed with")
    return raw
