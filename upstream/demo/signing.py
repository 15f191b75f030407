"""The provider's signing keys, and signatures as they should be and as they should not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from functools import lru_cache
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from .models import SigningKey

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def public_jwks(algorithm: str) -> dict[str, Any]:
    """RFC 7517 s5: every published key, the newest first, and one of `algorithm` among them."""
    current(algorithm)
    return {"keys": [_public_jwk(key) for key in SigningKey.objects.filter(published=True).order_by("-pk")]}


def current(algorithm: str) -> SigningKey:
    """The key that signs now, made on first use. Should two processes make one at once, the newer signs."""
    keys = SigningKey.objects.filter(algorithm=algorithm, published=True).order_by("-pk")
    return keys.first() or _create(algorithm)


def rotate(algorithm: str, *, replace: bool) -> None:
    """Sign with a new key from now on. The old ones stay published, or with `replace` vanish at once."""
    if replace:
        SigningKey.objects.update(published=False)
    _create(algorithm)


def sign(claims: dict[str, Any], algorithm: str, signature: str | None = None, typ: str = "JWT") -> str:
    """`claims` as a signed JWT (RFC 7515). `signature` names a way to get it wrong, see `faults`."""
    key = current(algorithm)
    private, headers = _load(key.private_pem), {"kid": key.kid, "typ": typ}
    if signature == "none":
        return jwt.encode(claims, "", algorithm="none", headers=headers)
    if signature == "public_key_as_secret":
        return _signed_with_public_key(claims, private, key.kid)
    if signature == "unpublished_key":
        private = _generate(algorithm)
    token = jwt.encode(claims, private, algorithm=algorithm, headers=headers)
    if signature == "broken":
        signed, _, last = token.encode().rpartition(b".")
        wrong = bytearray(base64.urlsafe_b64decode(last + b"=="))
        wrong[-1] ^= 1
        return b".".join([signed, _segment(wrong)]).decode()
    return token


def _create(algorithm: str) -> SigningKey:
    pem = _generate(algorithm).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKey.objects.create(kid=secrets.token_urlsafe(12), algorithm=algorithm, private_pem=pem.decode())


def _generate(algorithm: str) -> PrivateKey:
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@lru_cache(maxsize=16)
def _load(private_pem: str) -> PrivateKey:
    return cast(PrivateKey, serialization.load_pem_private_key(private_pem.encode(), password=None))


def _public_jwk(key: SigningKey) -> dict[str, Any]:
    private = _load(key.private_pem)
    if isinstance(private, rsa.RSAPrivateKey):
        jwk = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    else:
        jwk = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    return jwk | {"kid": key.kid, "use": "sig", "alg": key.algorithm}


def _signed_with_public_key(claims: dict[str, Any], private: PrivateKey, kid: str) -> str:
    """The key confusion attack (RFC 8725 s2.1): HS256 with the published key's PEM as the secret."""
    secret = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = {"alg": "HS256", "typ": "JWT", "kid": kid}
    signed = b".".join(_segment(json.dumps(part).encode()) for part in (header, claims))
    return b".".join([signed, _segment(hmac.digest(secret, signed, hashlib.sha256))]).decode()


def _segment(raw: bytes | bytearray) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
