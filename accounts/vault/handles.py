"""Sealing by keeping: the plaintext stays in a table of this process and the sealed value is a random handle to it.

It shows that a sealer somewhere else (a KMS, a secrets manager) fits behind the seam, and serves tests. The table is
never emptied and ends with the process, so it is not for anything that has to last.
"""

from __future__ import annotations

import hmac
import secrets
from threading import Lock

from accounts.vault.base import Damaged

_FORMAT = "h1"


class HandleSealing:
    """A handle opens only with the context that it was made for."""

    prefixes = {"handles": f"{_FORMAT}."}

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, tuple[str, bytes]] = {}

    def seal(self, plaintext: bytes, context: str) -> str:
        handle = f"{_FORMAT}.{secrets.token_urlsafe(32)}"
        with self._lock:
            self._kept[handle] = (context, plaintext)
        return handle

    def open(self, sealed: str, context: str) -> bytes:
        with self._lock:
            kept = self._kept.get(sealed)
        if kept is None:
            raise Damaged("no such handle")
        sealed_for, plaintext = kept
        if not hmac.compare_digest(
            sealed_for.encode("utf-8", "surrogatepass"), context.encode("utf-8", "surrogatepass")
        ):
            raise Damaged("sealed for another place")
        return plaintext

    def ready(self) -> None:
        """Always."""

    def ping(self) -> None:
        """Nothing to reach."""
