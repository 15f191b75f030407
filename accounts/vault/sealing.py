"""The sealing seam: authenticated encryption bound to a context.

A backend is named by `settings.SEALING_BACKEND`. The context says what the value is and whose (for example
`credential:<id>:<user>:<provider>:tokens`); a value moved to another row does not open there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from accounts.vault.base import Damaged


class Sealing(Protocol):
    """Seals and opens. Sealed values name the key that made them, so keys can turn over."""

    @property
    def prefixes(self) -> Mapping[str, str]:
        """Each key's id, and how every value that it sealed begins; the first key seals."""

    def seal(self, plaintext: bytes, context: str) -> str:
        """ASCII text that only this context opens. Raises `accounts.vault.base.SealingUnavailable`."""

    def open(self, sealed: str, context: str) -> bytes:
        """The plaintext. Raises `accounts.vault.base.Damaged` for anything that is not exactly what `seal` gave, and
        `SealingUnavailable` where that cannot be said now."""

    def ready(self) -> None:
        """Raise `SealingUnavailable` where what comes within the next two minutes could not be sealed.

        To be asked before something is fetched that can be fetched once, as a rotated token.
        """

    def ping(self) -> None:
        """Raise where sealing cannot work (no key, KMS away)."""


class FirstSeals:
    """Two backends while one takes over from the other: the first seals, each opens what it sealed."""

    def __init__(self, backends: Sequence[Sealing]) -> None:
        self._first = backends[0]
        self._by_prefix = {prefix: backend for backend in backends for prefix in backend.prefixes.values()}
        self.prefixes = {
            key_id: prefix for backend in reversed(backends) for key_id, prefix in backend.prefixes.items()
        }
        self.prefixes = {**self._first.prefixes, **self.prefixes}

    def seal(self, plaintext: bytes, context: str) -> str:
        return self._first.seal(plaintext, context)

    def open(self, sealed: str, context: str) -> bytes:
        for prefix, backend in self._by_prefix.items():
            if sealed.startswith(prefix):
                return backend.open(sealed, context)
        raise Damaged("not a sealed value, or sealed with a key that is not configured")

    def ready(self) -> None:
        self._first.ready()

    def ping(self) -> None:
        """Only what new values need: what the other one sealed is on its way out."""
        self._first.ping()


def sealing_key_id() -> str:
    """The key that new values are sealed with."""
    return next(iter(sealing().prefixes))


@cache
def sealing() -> Sealing:
    """The configured backend, one a process; with another one behind it where `settings.SEALING_ALSO_OPENS` names it."""
    paths = [settings.SEALING_BACKEND, *settings.SEALING_ALSO_OPENS]
    backends = [cast(Sealing, import_string(path)()) for path in paths]
    return backends[0] if len(backends) == 1 else FirstSeals(backends)


def sealed_with(sealed: str) -> str | None:
    """The id of the key that sealed a value; None where it is not one of those configured."""
    return next((key_id for key_id, prefix in sealing().prefixes.items() if sealed.startswith(prefix)), None)
