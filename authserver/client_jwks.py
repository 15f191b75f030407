"""A client's public keys (RFC 7517): which we take, and which of them an assertion names.

Inline in its metadata, or behind its `jwks_uri` (`authserver.client_key_sets`); one reading for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA")
MAX_KEYS = 20
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
_KEY_TYPES = {"ES256": "EC", "RS256": "RSA", "PS256": "RSA", "EdDSA": "OKP"}
_PUBLIC_MEMBERS = ("kty", "crv", "x", "y", "n", "e", "kid", "alg", "use")
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MAX_MEMBER = 2048

Jwk = dict[str, str]


def read(document: Any) -> list[Jwk]:
    """The keys of a JWK Set that we can verify with, their public members only; keys of other kinds are passed over.

    Raises `ValueError` with a phrase for the client's developer: no set, a private key in it, none that we can use.
    """
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not 1 <= len(keys) <= MAX_KEYS or not all(isinstance(key, dict) for key in keys):
        raise ValueError(f"a JWK Set of 1 to {MAX_KEYS} keys is needed")
    if any(_PRIVATE_MEMBERS & key.keys() for key in keys):
        raise ValueError("there is a private or symmetric key in it; publish public keys only, and replace that one")
    usable = [public for key in keys if (public := _public(key))]
    if not usable:
        raise ValueError(f"none of its keys can be used; one for {', '.join(ALGORITHMS)} is needed")
    return usable


def choose(keys: Sequence[Jwk], *, algorithm: str, kid: str | None) -> list[Any]:
    """The keys that may have made a signature with this algorithm, as PyJWT takes them."""
    return [
        jwt.PyJWK(key, algorithm=algorithm).key
        for key in keys
        if key["kty"] == _KEY_TYPES[algorithm]
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]


def _public(key: dict[str, Any]) -> Jwk | None:
    """Its public members; None where it is of a kind that we do not verify with."""
    members = {name: key[name] for name in _PUBLIC_MEMBERS if name in key}
    if not all(isinstance(value, str) and len(value) <= _MAX_MEMBER for value in members.values()):
        return None
    algorithm = members.get("alg") or next((name for name, kty in _KEY_TYPES.items() if kty == members.get("kty")), "")
    if _KEY_TYPES.get(algorithm) != members.get("kty") or members.get("use", "sig") != "sig":
        return None
    try:
        loaded = jwt.PyJWK(members, algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if members["kty"] == "EC" and members.get("crv") != "P-256":
        return None
    if isinstance(loaded, RSAPublicKey) and not MIN_RSA_BITS <= loaded.key_size <= MAX_RSA_BITS:
        return None
    return members
