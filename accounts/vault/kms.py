"""Sealing by envelope: the key-encryption key stays in AWS KMS, and data keys that it wraps seal here.

A value is `e1.<key id>.<wrapped data key>.<message>`; `accounts.vault.messages` says what a message is. A data key seals
for some minutes less than an hour, or a million messages, and is kept unwrapped for an hour at most: taking away our right
to the KMS key ends within the hour what this process can open. `settings.KMS_KEYS` maps key ids to KMS keys (ARN or
alias), the first seals.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from accounts import metrics
from accounts.vault import messages
from accounts.vault.base import Damaged, SealingUnavailable
from accounts.vault.kms_calls import Kms, KmsRefused, KmsUnavailable

FORM = "e1"
MAX_AGE_SECONDS = 3600.0
SPARE_SECONDS = 120.0  # before its end a data key seals only what was under way: more than a refresh may take
MAX_MESSAGES = 1_000_000
MAX_KEPT = 1024
PING_SECONDS = 30.0
_MAX_WRAPPED = 4096  # characters; KMS gives some 250
_NOT_THE_KEYS_OWN = {"InvalidCiphertextException", "IncorrectKeyException"}


@dataclass
class _DataKey:
    plaintext: bytes = field(repr=False)
    wrapped: str
    unwrapped_at: float
    messages: int = 0

    def is_good(self, now: float, *, spare_seconds: float = 0.0) -> bool:
        return now - self.unwrapped_at < MAX_AGE_SECONDS - spare_seconds


class KmsSealing:
    """Data keys in the process, bounded in number and age; the key that wraps them never."""

    def __init__(self, keys: Mapping[str, str] | None = None) -> None:
        """`keys`: id to KMS key, in order; default `settings.KMS_KEYS`."""
        self._keys = dict(settings.KMS_KEYS if keys is None else keys)
        if not self._keys:
            raise ImproperlyConfigured("KMS_KEYS: at least one KMS key is needed")
        self.prefixes = {key_id: f"{FORM}.{key_id}." for key_id in self._keys}
        self._kms = Kms("AUTHSERVER_SEALING")
        self._lock = Lock()  # over what is kept; never held while KMS is asked
        self._sealing: _DataKey | None = None
        self._opened: OrderedDict[str, _DataKey] = OrderedDict()
        self._answered_at = float("-inf")

    def seal(self, plaintext: bytes, context: str) -> str:
        prefix = next(iter(self.prefixes.values()))
        data_key = self._data_key_at_last()
        with self._lock:
            data_key.messages += 1
        bound = f"{prefix}{data_key.wrapped}."
        return bound + messages.encrypt(data_key.plaintext, plaintext, bound + context)

    def open(self, sealed: str, context: str) -> bytes:
        form, _, rest = sealed.partition(".")
        key_id, _, rest = rest.partition(".")
        wrapped, _, message = rest.partition(".")
        if form != FORM or not messages.is_key_id(key_id) or not message or len(wrapped) > _MAX_WRAPPED:
            raise Damaged("not a sealed value")
        if key_id not in self._keys:
            raise Damaged(f"sealed with the vault key {key_id}, which is not configured")
        bound = f"{self.prefixes[key_id]}{wrapped}."
        return messages.decrypt(self._unwrapped(key_id, wrapped), message, bound + context)

    def ready(self) -> None:
        """A data key that has done its time is replaced now, not when something has to be sealed."""
        self._data_key()

    def ping(self) -> None:
        """Ask KMS, but not more often than every half minute: a probe comes every few seconds, and each call is billed."""
        if time.monotonic() - self._answered_at >= PING_SECONDS:
            key_id = next(iter(self._keys))
            self._ask_to_decrypt(key_id, self._data_key().wrapped)

    def _data_key(self) -> _DataKey:
        """The data key that seals now; a new one where it has done its time. Threads that come at once may make several."""
        now = time.monotonic()
        with self._lock:
            held = self._sealing
        if held is not None and held.is_good(now, spare_seconds=SPARE_SECONDS) and held.messages < MAX_MESSAGES:
            return held
        key_id, kms_key = next(iter(self._keys.items()))
        answer = self._call("generate_data_key", KeyId=kms_key, KeySpec="AES_256", EncryptionContext=_purpose(key_id))
        made = _DataKey(answer["Plaintext"], messages.encode(answer["CiphertextBlob"]), now)
        with self._lock:
            self._sealing = made
        self._keep(made)
        return made

    def _data_key_at_last(self) -> _DataKey:
        """The same; where KMS gives none, the last one to its very end: what a provider has just given may come once."""
        try:
            return self._data_key()
        except SealingUnavailable:
            with self._lock:
                held = self._sealing
            if held is None or not held.is_good(time.monotonic()):
                raise
            return held

    def _unwrapped(self, key_id: str, wrapped: str) -> bytes:
        now = time.monotonic()
        with self._lock:
            kept = self._opened.get(wrapped)
        if kept is not None and kept.is_good(now):
            return kept.plaintext
        try:
            plaintext = self._ask_to_decrypt(key_id, wrapped)
        except _Refused:
            if self._serves(key_id):  # KMS says no to a wrapped key that it did not make as it does to us
                raise Damaged("the wrapped data key is not one of this key's") from None
            raise
        self._keep(_DataKey(plaintext, wrapped, now))
        return plaintext

    def _keep(self, data_key: _DataKey) -> None:
        with self._lock:
            self._opened[data_key.wrapped] = data_key
            self._opened.move_to_end(data_key.wrapped)
            while len(self._opened) > MAX_KEPT:
                self._opened.popitem(last=False)

    def _serves(self, key_id: str) -> bool:
        """Whether KMS wraps and unwraps with this key for us, right now."""
        try:
            made = self._call(
                "generate_data_key", KeyId=self._keys[key_id], KeySpec="AES_256", EncryptionContext=_purpose(key_id)
            )
            self._ask_to_decrypt(key_id, messages.encode(made["CiphertextBlob"]))
        except SealingUnavailable:
            return False
        return True

    def _ask_to_decrypt(self, key_id: str, wrapped: str) -> bytes:
        """The key is named, so that KMS opens with no other one."""
        answer = self._call(
            "decrypt",
            CiphertextBlob=messages.decode(wrapped),
            KeyId=self._keys[key_id],
            EncryptionContext=_purpose(key_id),
            EncryptionAlgorithm="SYMMETRIC_DEFAULT",
        )
        plaintext: bytes = answer["Plaintext"]
        if len(plaintext) != messages.KEY_BYTES:
            raise Damaged("not a data key of ours")
        return plaintext

    def _call(self, operation: str, **arguments: Any) -> Any:
        """What KMS says. Refused, disabled and unreachable are the same to callers: nothing is known to be damaged."""
        try:
            answer = self._kms(operation, **arguments)
        except KmsRefused as error:
            if error.code in _NOT_THE_KEYS_OWN:
                raise Damaged("altered, or wrapped by another key") from None
            metrics.VAULT_FAILURES.count("kms")
            raise _Refused(str(error)) from None
        except KmsUnavailable as error:
            metrics.VAULT_FAILURES.count("kms")
            raise SealingUnavailable(str(error)) from None
        self._answered_at = time.monotonic()
        return answer


class _Refused(SealingUnavailable):
    """KMS answered, and it was no."""


def _purpose(key_id: str) -> dict[str, str]:
    """KMS's encryption context: bound to the wrapped key, named in AWS's own audit trail, fit for a key policy."""
    return {"purpose": "authserver-vault", "key": key_id}
