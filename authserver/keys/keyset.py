"""Keys held in the process: the first signs, all verify. Every backend of ours answers from one of these."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from authserver.keys.base import SigningUnavailable, VerificationKey
from authserver.keys.material import Key


class KeySet:
    """A `Signer` over keys that do not change. A changed set of keys is another `KeySet`."""

    def __init__(self, keys: Sequence[Key], *, signs: bool = True) -> None:
        """The first key must have its private half, if the set `signs`. Raises `SigningUnavailable` where it has none."""
        if signs and (not keys or keys[0].private is None):
            raise SigningUnavailable("there is no private key to sign with")
        self._first = keys[0] if signs else None
        self._by_kid = {key.kid: key for key in keys}

    def only(self, kids: Collection[str]) -> KeySet:
        """Those of the keys that are among `kids`. Without the one that signed, the rest verifies and signs no more."""
        rest = [key for kid, key in self._by_kid.items() if kid in kids]
        return KeySet(rest, signs=self._first is not None and self._first.kid in kids)

    @property
    def _signing(self) -> Key:
        if self._first is None:
            raise SigningUnavailable("the key that signed is gone, and no other can be had")
        return self._first

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
