"""Signing keys that stay in AWS KMS: KMS signs, this process knows the public halves only. An optional extra.

`AUTHSERVER_SIGNING_KMS_KEYS` names them, the first signs, all verify. What a name (an alias) stands for is asked once a
process: a signature is always made by the key that is published. A token costs one call.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import structlog
from jwt.utils import der_to_raw_signature

from accounts.vault.kms_calls import Kms, KmsUnavailable
from authserver.conf import load
from authserver.keys.base import SigningUnavailable, VerificationKey
from authserver.keys.keyset import KeySet
from authserver.keys.material import Key, UnusableKey, from_public_der, signing_input

PING_SECONDS = 30.0
MAX_RAW_BYTES = 4096
"""KMS takes no longer message; of a longer one it is given the digest."""
_ALGORITHMS = {"ES256": "ECDSA_SHA_256", "RS256": "RSASSA_PKCS1_V1_5_SHA_256"}

log = structlog.get_logger(__name__)


class _Held(NamedTuple):
    """A key as KMS has it: `id` is the key itself, whatever name it was asked by."""

    id: str
    key: Key


class KmsSigner:
    """ECC_NIST_P256 (ES256) and RSA_2048 or more (RS256) keys with the usage SIGN_VERIFY."""

    turned_over = (
        "Put the new KMS key behind the others in AUTHSERVER_SIGNING_KMS_KEYS and restart every process, in front of them ten "
        "minutes later, and take the old one out a day after that. To revoke a key, take it out now, everywhere."
    )

    def __init__(self, names: Sequence[str] | None = None) -> None:
        """`names`: ids, ARNs or aliases; default `conf.signing_kms_keys`. Raises `SigningUnavailable` where KMS does not give
        each public key, and `ImproperlyConfigured` without boto3."""
        names = load().signing_kms_keys if names is None else names
        if not names:
            raise SigningUnavailable("AUTHSERVER_SIGNING_KMS_KEYS is not set")
        self._kms = Kms("AUTHSERVER_KEY_SOURCE")
        self._answered_at = float("-inf")
        held = [self._fetched(name) for name in names]
        self._signing = held[0]
        self._public = KeySet([one.key for one in held], signs=False)
        if self.algorithm.startswith("RS"):
            log.warning("signing_key.rsa", hint="an ECC_NIST_P256 key's signatures are a quarter as long")

    @property
    def algorithm(self) -> str:
        return self._signing.key.algorithm

    def sign(self, claims: dict[str, Any], typ: str) -> str:
        message = signing_input(claims, typ=typ, kid=self._signing.key.kid, algorithm=self.algorithm)
        signature = base64.urlsafe_b64encode(self._signature(message)).rstrip(b"=")
        return f"{message.decode()}.{signature.decode()}"

    def public_jwks(self) -> dict[str, Any]:
        return self._public.public_jwks()

    def verification_key(self, kid: str) -> VerificationKey | None:
        return self._public.verification_key(kid)

    def ping(self) -> None:
        """Have something signed that is no JWS, unless KMS did so within half a minute: each call is billed."""
        if time.monotonic() - self._answered_at >= PING_SECONDS:
            self._signature(b"ping")

    def _fetched(self, name: str) -> _Held:
        answer = self._call("get_public_key", KeyId=name)
        try:
            key = from_public_der(answer["PublicKey"])
        except UnusableKey as error:
            raise SigningUnavailable(f"the KMS key {name}: {error}") from None
        if _ALGORITHMS.get(key.algorithm) not in answer.get("SigningAlgorithms", ()):
            raise SigningUnavailable(
                f"the KMS key {name} is not one of ECC_NIST_P256 or RSA_2048 and more, to sign with"
            )
        return _Held(answer["KeyId"], key)

    def _signature(self, message: bytes) -> bytes:
        """RFC 7518 sections 3.3 and 3.4: KMS gives ECDSA signatures in DER, a JWS has them as r and s."""
        raw = len(message) <= MAX_RAW_BYTES
        answer = self._call(
            "sign",
            KeyId=self._signing.id,
            Message=message if raw else hashlib.sha256(message).digest(),
            MessageType="RAW" if raw else "DIGEST",
            SigningAlgorithm=_ALGORITHMS[self.algorithm],
        )
        self._answered_at = time.monotonic()
        signature: bytes = answer["Signature"]
        if self.algorithm == "ES256":
            return der_to_raw_signature(signature, self._signing.key.public.curve)  # type: ignore[union-attr]
        return signature

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return self._kms(operation, **arguments)
        except KmsUnavailable as error:
            raise SigningUnavailable(str(error)) from None
