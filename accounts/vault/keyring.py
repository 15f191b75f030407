"""Sealing with AES-256-GCM under a ring of keys (`settings.VAULT_KEYS`): the first seals, all of them open.

A value is `v1.<key id>.<message>`; `accounts.vault.messages` says what a message is.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from accounts.vault import messages
from accounts.vault.base import Damaged

FORM = "v1"


class KeyRingSealing:
    """Keys by id, in the process."""

    def __init__(self, keys: Mapping[str, bytes] | None = None) -> None:
        """`keys`: id to 32 bytes, in order; default `settings.VAULT_KEYS`."""
        self._keys = dict(settings.VAULT_KEYS if keys is None else keys)
        if not self._keys or any(len(key) != messages.KEY_BYTES for key in self._keys.values()):
            raise ImproperlyConfigured("VAULT_KEYS: at least one key of 32 bytes is needed")
        if not all(map(messages.is_key_id, self._keys)):  # what such a key sealed would not open
            raise ImproperlyConfigured("VAULT_KEYS: an id is up to 32 ASCII letters and digits")
        self.prefixes = {key_id: f"{FORM}.{key_id}." for key_id in self._keys}

    def seal(self, plaintext: bytes, context: str) -> str:
        key_id, prefix = next(iter(self.prefixes.items()))
        return prefix + messages.encrypt(self._keys[key_id], plaintext, prefix + context)

    def open(self, sealed: str, context: str) -> bytes:
        """Format and key id are bound as well: neither can be rewritten."""
        form, _, rest = sealed.partition(".")
        key_id, _, message = rest.partition(".")
        if form != FORM or not messages.is_key_id(key_id):
            raise Damaged("not a sealed value")
        if key_id not in self._keys:
            raise Damaged(f"sealed with the vault key {key_id}, which is not in the ring")
        return messages.decrypt(self._keys[key_id], message, self.prefixes[key_id] + context)

    def ready(self) -> None:
        """Always: the keys are here."""

    def ping(self) -> None:
        """Nothing to reach: the keys are here, and were checked at the start."""
