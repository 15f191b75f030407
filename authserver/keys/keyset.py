"""Keys held in the process: the first signs, all verify. Every backend of ours answers from one of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from authserver.keys.base import SigningUnavailable, VerificationKey
from authserver.keys.material import Key


class KeySet:
    """A `Signer` over keys that do not change. A changed set of keys is another `KeySet`."""

    def __init__(self, keys: Sequence[Key]) -> None:
        """The first key must have its private half. Raises `SigningUnavailable` where it has none."""
        if not keys or keys[0].private is None:
            raise SigningUnavailable("there is no private key to sign with")
        self._signing = keys[0]
        self._by_kid = {key.kid: key for key in keys}

    @property
    def algorithm(self) -> str:
        return self._signing.algorithm

    def sign(self, claims: dict[str, Any], typ: str) -> str:
        return self._signing.sign(claims, typ)

    def public_jwks(self) -> dict[str, Any]:
        return {"keys": [dict(key.public_jwk) for key in self._by_kid.values()]}

    def verification_key(self, kid: str) -> VerificationKey | None:
        key = self._by_kid.get(kid)
        return key.verification if key else None

    def ping(self) -> None:
        """Nothing to reach: the keys are here."""
