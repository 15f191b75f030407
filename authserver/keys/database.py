"""Signing keys in the database, the private half sealed: the default, and what several processes share.

The first key is made on first use; `manage.py bootstrap` pings before anything is served, so that no request's
transaction can take it back. Which process made it is decided by the constraint that one key is active; the losers read
the winner's. A key is parsed once a process, and the rows are read again every two seconds, so that a turn and a revocation
reach every process (`authserver.keys.rotation` makes them); in between, signing, verifying and the JWKS cost no statement.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

import structlog
from django.db import Error as DatabaseFailure
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import audit
from accounts.vault.base import Damaged, SealingUnavailable
from accounts.vault.secrets import open_secret, seal_secret
from authserver.conf import load
from authserver.keys.base import SigningUnavailable, VerificationKey
from authserver.keys.keyset import KeySet
from authserver.keys.material import Key, UnusableKey, from_pem, generate, to_pem
from authserver.models import SigningKey

REREAD_SECONDS = 2.0
UNKNOWN_KID_REREAD_SECONDS = 1.0

log = structlog.get_logger(__name__)
_ORDER = [SigningKey.Phase.ACTIVE, SigningKey.Phase.NEXT, SigningKey.Phase.RETIRED]


def create(phase: SigningKey.Phase, *, now: datetime, actor: str = "") -> SigningKey:
    """A new key of the configured algorithm. Raises `IntegrityError` where the phase has its one key already."""
    row = new_row(generate(load().signing_algorithm), phase=phase, now=now)
    with transaction.atomic():  # not before: making and sealing it may take a while
        row.save(force_insert=True)
        audit.record(
            "signing_key.created", actor=actor, now=now, kid=row.kid, algorithm=row.algorithm, phase=phase.value
        )
    return row


def new_row(key: Key, *, phase: SigningKey.Phase, now: datetime) -> SigningKey:
    """An unsaved row for `key`, its private half sealed."""
    return SigningKey(
        kid=key.kid,
        algorithm=key.algorithm,
        phase=phase,
        public_jwk=key.public_jwk,
        private_key_sealed=seal_secret(to_pem(key), private_key_context(key.kid)),
        created_at=now,
        activated_at=now if phase == SigningKey.Phase.ACTIVE else None,
    )


def rows_that_do_not_open() -> list[SigningKey]:
    """For checks: the keys that this process's vault keys do not open, or that were altered. One SELECT, no write."""
    damaged = []
    for row in SigningKey.objects.order_by("created_at"):
        try:
            _opened(row)
        except (Damaged, UnusableKey):
            damaged.append(row)
    return damaged


def opens(row: SigningKey) -> bool:
    """Whether this process could sign with it. Raises `SealingUnavailable`."""
    try:
        _opened(row)
    except (Damaged, UnusableKey):
        return False
    return True


class _DoesNotOpen(SigningUnavailable):
    """The active key is there and cannot be used; `kids` are those of every row."""

    def __init__(self, kids: frozenset[str]) -> None:
        super().__init__("the active signing key does not open: is its vault key missing?")
        self.kids = kids


@dataclass(frozen=True)
class _Read:
    """What the table said at `at` (monotonic seconds)."""

    keys: KeySet
    at: float


class DatabaseSigner:
    """Signs with the active row; verifies with every row that opens."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._read: _Read | None = None
        self._rereading = Lock()
        self._parsed: dict[tuple[str, str], Key | None] = {}

    @property
    def algorithm(self) -> str:
        return self._keys().algorithm

    def sign(self, claims: dict[str, Any], typ: str) -> str:
        return self._keys().sign(claims, typ)

    def public_jwks(self) -> dict[str, Any]:
        return self._keys().public_jwks()

    def verification_key(self, kid: str) -> VerificationKey | None:
        """An unknown `kid` may belong to a key made a moment ago elsewhere: one more look, at most once a second."""
        return self._keys().verification_key(kid) or self._keys(UNKNOWN_KID_REREAD_SECONDS).verification_key(kid)

    def ping(self) -> None:
        self._read = self._load()

    def forget(self) -> None:
        """Read again next time: called after a rotation, so that the process that made it sees it at once."""
        self._read = None

    def _keys(self, max_age_seconds: float = REREAD_SECONDS) -> KeySet:
        """The keys, as the table had them at most `max_age_seconds` ago."""
        read = self._read
        if read is None:  # no lock around this: it may write, and a writer of ours may be waiting for what we hold
            read = self._read = self._load()
        elif self._clock() - read.at >= max_age_seconds and self._rereading.acquire(blocking=False):
            try:
                read = self._read = self._load()
            except (DatabaseFailure, SigningUnavailable) as error:
                # Verifiers and the JWKS go on with what is known; nothing is issued without a database anyway. A key
                # that is no longer there was revoked, or is over, whatever else is wrong.
                log.warning("signing_keys.not_reread", error=type(error).__name__)
                known = read.keys.only(error.kids) if isinstance(error, _DoesNotOpen) else read.keys
                read = self._read = _Read(known, self._clock())
            finally:
                self._rereading.release()
        return read.keys

    def _load(self) -> _Read:
        """One SELECT; and, on the very first use, the INSERT that makes the key."""
        rows = self._rows()
        try:
            if not rows or rows[0].phase != SigningKey.Phase.ACTIVE:
                _create_active()
                rows = self._rows()
            keys = [self._parse(row) for row in rows]
        except SealingUnavailable as error:  # says nothing about the keys: the next look may open them
            raise SigningUnavailable(f"the signing keys cannot be opened at the moment: {error}") from error
        if not keys or keys[0] is None:
            raise _DoesNotOpen(frozenset(row.kid for row in rows))
        return _Read(KeySet([key for key in keys if key]), self._clock())

    def _rows(self) -> list[SigningKey]:
        rows = SigningKey.objects.order_by("-created_at")
        return sorted(rows, key=lambda row: _ORDER.index(SigningKey.Phase(row.phase)))

    def _parse(self, row: SigningKey) -> Key | None:
        """The key of a row; None where it does not open.

        The public half is derived from the sealed private one and never believed from its column: whoever can write
        to this table, but has no vault key, cannot plant a key that we would verify with.
        """
        name = (row.kid, row.private_key_sealed)
        if name not in self._parsed:
            try:
                self._parsed[name] = _opened(row)
            except (Damaged, UnusableKey) as error:
                self._parsed[name] = None
                log.error("signing_key.damaged", kid=row.kid, phase=row.phase, error=str(error))
                audit.record("signing_key.damaged", outcome="failed", reason=str(error), kid=row.kid)
        return self._parsed[name]


def _opened(row: SigningKey) -> Key:
    keys = from_pem(open_secret(row.private_key_sealed, private_key_context(row.kid)))
    if len(keys) != 1 or (keys[0].kid, keys[0].algorithm, keys[0].public_jwk) != (
        row.kid,
        row.algorithm,
        row.public_jwk,
    ):
        raise Damaged("the row and its sealed key do not agree")
    return keys[0]


def _create_active() -> None:
    """Make a key to sign with, unless another process was quicker."""
    try:
        create(SigningKey.Phase.ACTIVE, now=timezone.now())
    except IntegrityError:
        log.info("signing_key.made_elsewhere")


def private_key_context(kid: str) -> str:
    """What a key's private half is sealed for."""
    return f"signing-key:{kid}:private"
