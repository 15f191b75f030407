"""One salted SHA-256 round for secrets that we or an operator generated with at least 128 bits of entropy.

A slow hash defends guessable passwords; on a random secret it only costs 200 ms a request. People's passwords use the
first hasher of `PASSWORD_HASHERS`, never this one.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from django.contrib.auth.hashers import BasePasswordHasher, make_password
from django.utils.crypto import constant_time_compare


class RandomSecretHasher(BasePasswordHasher):
    """`random_secret_sha256$<salt>$<hex digest>`."""

    algorithm = "random_secret_sha256"

    def encode(self, password: str, salt: str) -> str:
        self._check_encode_args(password, salt)  # type: ignore[attr-defined]  # not in the stubs
        digest = hashlib.sha256(f"{salt}${password}".encode()).hexdigest()
        return f"{self.algorithm}${salt}${digest}"

    def decode(self, encoded: str) -> dict[str, Any]:
        algorithm, salt, digest = encoded.split("$", 2)
        return {"algorithm": algorithm, "salt": salt, "hash": digest}

    def verify(self, password: str, encoded: str) -> bool:
        return constant_time_compare(self.encode(password, self.decode(encoded)["salt"]), encoded)

    def safe_summary(self, encoded: str) -> Any:
        return {"algorithm": self.algorithm}

    def must_update(self, encoded: str) -> bool:
        return False

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Nothing to harden: the work factor is one."""


def new_secret() -> str:
    """384 random bits, URL-safe: what we give where an operator asks us for a secret."""
    return secrets.token_urlsafe(48)


def hash_secret(secret: str) -> str:
    """What is stored of a generated secret."""
    return make_password(secret, hasher=RandomSecretHasher.algorithm)
