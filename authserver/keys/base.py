"""The signing seam: what signs our JWTs and what verifies them.

A backend is named by `conf.signing_backend`; `authserver.keys.signer()` returns it. You ask it to sign, it never hands
out a private key, so a KMS or an HSM fits behind it. Every backend sits the contract suite in `tests/contracts/`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from jwt.algorithms import AllowedPublicKeys


class VerificationKey(NamedTuple):
    """A public key and the one JWS algorithm it may verify (RFC 8725 section 3.1)."""

    algorithm: str
    key: AllowedPublicKeys


class SigningUnavailable(Exception):
    """There is no key to sign with: it cannot be read, or does not open. Never carries key material."""


class VerificationKeys(Protocol):
    """The public half: enough for whoever only verifies."""

    def public_jwks(self) -> dict[str, Any]:
        """A JWK Set (RFC 7517 section 5) of every key that verifies, the signing one first; public members only."""

    def verification_key(self, kid: str) -> VerificationKey | None:
        """The key of this (unchecked) `kid`, or None."""


class Signer(VerificationKeys, Protocol):
    """Signs. One algorithm at a time: that of the active key."""

    @property
    def algorithm(self) -> str:
        """The JWS `alg` of the next signature, for metadata. Raises `SigningUnavailable`."""

    def sign(self, claims: dict[str, Any], typ: str) -> str:
        """`claims` (JSON values) as a compact JWS with `alg`, `kid` and `typ`. Raises `SigningUnavailable`."""

    def ping(self) -> None:
        """Raise where nothing could be signed now; the first ping makes the key where the backend makes keys."""
