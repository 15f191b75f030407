"""Signing keys from a PEM file that the operator keeps: the first key signs, all of them verify.

The file is looked at again every second, so that a turn needs no restart: the new key behind the others first, then in
front, then the old one out (docs/signing-keys.md). A file that has become unfit changes nothing but readiness.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

import structlog

from authserver.conf import load
from authserver.keys.base import SigningUnavailable, VerificationKey
from authserver.keys.keyset import KeySet
from authserver.keys.material import UnusableKey, from_pem

LOOK_SECONDS = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Read:
    """The keys in use, the digest of the text they came from (which is not kept), when the file was looked at last, and what
    was wrong with it then."""

    keys: KeySet
    digest: str
    at: float
    trouble: str = ""


class PemSigner:
    """EC P-256, P-384 or P-521, Ed25519, or RSA of at least 2048 bits."""

    turned_over = (
        "Put the new key behind the others in AUTHSERVER_SIGNING_KEY_FILE, in front of them ten minutes later, and take the "
        "old one out a day after that; no restart is needed. To revoke a key, take it out now."
    )

    def __init__(self, path: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """`path` defaults to `conf.signing_key_file`. Raises `SigningUnavailable` with what to mend."""
        path = path or load().signing_key_file
        if not path:
            raise SigningUnavailable("AUTHSERVER_SIGNING_KEY_FILE is not set")
        self._path = Path(path)
        self._clock = clock
        self._looking = Lock()
        content = self._content()
        self._read = _Read(self._parsed(content), _digest(content), clock())

    @property
    def algorithm(self) -> str:
        return self._keys().algorithm

    def sign(self, claims: dict[str, Any], typ: str) -> str:
        return self._keys().sign(claims, typ)

    def public_jwks(self) -> dict[str, Any]:
        return self._keys().public_jwks()

    def verification_key(self, kid: str) -> VerificationKey | None:
        return self._keys().verification_key(kid)

    def ping(self) -> None:
        """Raises where the file could not be used as it is now: this process goes on, another would not start."""
        with self._looking:
            self._look()
        if self._read.trouble:
            raise SigningUnavailable(self._read.trouble)

    def _keys(self) -> KeySet:
        """The keys, as the file had them at most a second ago."""
        if self._clock() - self._read.at >= LOOK_SECONDS and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        return self._read.keys

    def _look(self) -> None:
        """Read the file, which is as cheap as asking for its date, and cannot miss a change within a tick of it."""
        now = self._clock()
        try:
            content = self._content()
            if (digest := _digest(content)) == self._read.digest:
                self._read = replace(self._read, at=now, trouble="")
                return
            keys = self._parsed(content)
        except SigningUnavailable as error:
            if str(error) != self._read.trouble:  # once, and not every second
                log.error("signing_keys.not_reloaded", error=str(error))
            self._read = replace(self._read, at=now, trouble=str(error))
            return
        self._read = _Read(keys, digest, now)
        log.info("signing_keys.reloaded", kids=[key["kid"] for key in keys.public_jwks()["keys"]])

    def _content(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise SigningUnavailable(f"{self._path} cannot be read ({type(error).__name__})") from error

    def _parsed(self, content: bytes) -> KeySet:
        try:
            keys = KeySet(from_pem(content.decode("ascii")))
        except UnicodeDecodeError as error:
            raise SigningUnavailable(f"{self._path} cannot be read ({type(error).__name__})") from error
        except UnusableKey as error:
            raise SigningUnavailable(f"{self._path}: {error}") from error
        if keys.algorithm.startswith("RS"):
            log.warning(
                "signing_key.rsa", hint="an EC P-256 key signs ten times as fast, with signatures a quarter as long"
            )
        return keys


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
