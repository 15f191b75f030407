"""Key material: what a private key's algorithm, JWK and `kid` are, and one JWS made with it.

The algorithm follows from the key, never from the token (RFC 8725 section 3.1). The `kid` is the key's RFC 7638
thumbprint, so the same key has the same name wherever it is loaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)
from jwt import PyJWS
from jwt.algorithms import AllowedPublicKeys, ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from authserver.keys.base import VerificationKey

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

MIN_RSA_BITS = 2048
NEW_RSA_BITS = 3072
_EC_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_THUMBPRINT_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
_PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_jws = PyJWS(algorithms=["ES256", "ES384", "ES512", "EdDSA", "RS256"])


class UnusableKey(ValueError):
    """Not a key we sign or verify with; the message says why, for the operator."""


@dataclass(frozen=True)
class Key:
    """One key, parsed. `private` is None for one that only verifies (the public half of a retired key)."""

    kid: str
    algorithm: str
    public: AllowedPublicKeys
    public_jwk: dict[str, Any]
    private: PrivateKey | None = field(default=None, repr=False)

    @property
    def verification(self) -> VerificationKey:
        return VerificationKey(self.algorithm, self.public)

    def sign(self, claims: dict[str, Any], typ: str) -> str:
        """`claims` as a compact JWS (RFC 7515 section 7.1)."""
        if self.private is None:
            raise UnusableKey(f"key {self.kid} has no private half")
        return _jws.encode(_json(claims), self.private, algorithm=self.algorithm, headers={"kid": self.kid, "typ": typ})


def signing_input(claims: dict[str, Any], *, typ: str, kid: str, algorithm: str) -> bytes:
    """What a signature is made over (RFC 7515 section 5.1), where something else makes it."""
    header = {"alg": algorithm, "typ": typ, "kid": kid}
    return b".".join(base64.urlsafe_b64encode(_json(part)).rstrip(b"=") for part in (header, claims))


def _json(members: dict[str, Any]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode()


def generate(algorithm: str = "ES256") -> Key:
    """A new key for `ES256`, `EdDSA` (Ed25519) or `RS256` (3072 bits). Raises `UnusableKey` for any other.

    Its `kid` does not begin with a hyphen: somebody in a hurry types it after `--revoke`.
    """
    while (key := _from_private(_new_private(algorithm))).kid.startswith("-"):
        pass
    return key


def _new_private(algorithm: str) -> PrivateKey:
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=NEW_RSA_BITS)
    raise UnusableKey(f"no key is made for {algorithm}: ES256, EdDSA or RS256")


def from_pem(text: str) -> list[Key]:
    """Every key of a PEM file, in its order: private keys, and public ones that only verify. Raises `UnusableKey`."""
    keys = []
    for block in _PEM_BLOCK.finditer(text):
        label, pem = block[1], block[0].encode()
        try:
            if label.endswith("PRIVATE KEY"):
                keys.append(_from_private(load_pem_private_key(pem, password=None)))
            elif label == "PUBLIC KEY":
                keys.append(_from_public(load_pem_public_key(pem)))
            elif label != "EC PARAMETERS":  # `openssl ecparam -genkey` puts them before the key
                raise UnusableKey(f"a PEM block of type {label} is no key")
        except TypeError:
            raise UnusableKey("the private key is encrypted: give it in clear, readable by this server only") from None
        except UnusableKey:
            raise
        except (ValueError, UnsupportedAlgorithm) as error:
            raise UnusableKey(f"a PEM block of type {label} cannot be parsed") from error
    return keys


def from_public_der(der: bytes) -> Key:
    """A key that only verifies, from its SubjectPublicKeyInfo (RFC 5280 section 4.1). Raises `UnusableKey`."""
    try:
        return _from_public(load_der_public_key(der))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise error if isinstance(error, UnusableKey) else UnusableKey("the public key cannot be parsed") from error


def to_pem(key: Key) -> str:
    """The private half as PKCS #8, for sealing and for nothing else."""
    if key.private is None:
        raise UnusableKey(f"key {key.kid} has no private half")
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _from_private(private: object) -> Key:
    if not isinstance(private, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey):
        raise UnusableKey("only EC (P-256, P-384, P-521), Ed25519 and RSA keys can sign here")
    return _from_public(private.public_key(), private)


def _from_public(public: object, private: PrivateKey | None = None) -> Key:
    if isinstance(public, ec.EllipticCurvePublicKey):
        if public.curve.name not in _EC_ALGORITHMS:
            raise UnusableKey(f"the curve {public.curve.name} is not one of P-256, P-384, P-521")
        algorithm, members = _EC_ALGORITHMS[public.curve.name], ECAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ed25519.Ed25519PublicKey):
        algorithm, members = "EdDSA", OKPAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, rsa.RSAPublicKey):
        if public.key_size < MIN_RSA_BITS:
            raise UnusableKey(f"an RSA key of {public.key_size} bits: at least {MIN_RSA_BITS} are needed")
        algorithm, members = "RS256", RSAAlgorithm.to_jwk(public, as_dict=True)
    else:
        raise UnusableKey("only EC (P-256, P-384, P-521), Ed25519 and RSA keys can verify here")
    # Only the members of a public key are taken over, so that no library change can publish a private one.
    jwk = {name: members[name] for name in _THUMBPRINT_MEMBERS[members["kty"]]}
    kid = _thumbprint(jwk)
    return Key(kid, algorithm, public, {**jwk, "kid": kid, "use": "sig", "alg": algorithm}, private)


def _thumbprint(required_members: dict[str, Any]) -> str:
    """RFC 7638 section 3: SHA-256 over the required members, sorted, without white space."""
    canonical = json.dumps(required_members, separators=(",", ":"), sort_keys=True).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
