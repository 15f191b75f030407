"""The sealing seam: authenticated encryption bound to a context.

A backend is named by `settings.SEALING_BACKEND`. The context says what the value is and whose (for example
`credential:<id>:<user>:<provider>:tokens`); a value moved to another row does not open there.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string


class Sealing(Protocol):
    """Seals and opens. Sealed values name the key that made them, so keys can turn over."""

    def seal(self, plaintext: bytes, context: str) -> str:
        """ASCII text that only this context opens."""

    def open(self, sealed: str, context: str) -> bytes:
        """The plaintext. Raises `accounts.vault.base.Damaged` for anything that is not exactly what `seal` gave."""

    def ping(self) -> None:
        """Raise where sealing cannot work (no key, KMS away)."""


@cache
def sealing() -> Sealing:
    """The configured backend, one a process."""
    return cast(Sealing, import_string(settings.SEALING_BACKEND)())
