"""Clients that prove themselves with a key (`private_key_jwt`): their keys, and the assertions they make."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from authserver.models import Client
from tests.harness.approval import make_client

ISSUER = "http://localhost:8000"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEYS: dict[str, Any] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(65537, 2048),
    "PS256": rsa.generate_private_key(65537, 2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
CLIENT_ID = "proves-itself"


def public_jwk(key: Any, algorithm: str, **members: str) -> dict[str, str]:
    kind = {"ES256": "ES256", "RS256": "RS256", "PS256": "RS256", "EdDSA": "EdDSA"}[algorithm]
    found: dict[str, str] = json.loads(jwt.get_algorithm_by_name(kind).to_jwk(key.public_key()))
    found.pop("key_ops", None)
    return {**found, "alg": algorithm, "kid": f"key-{algorithm}", **members}


def make(keys: list[dict[str, str]] | None = None) -> Client:
    keys = [public_jwk(KEYS["ES256"], "ES256")] if keys is None else keys
    return make_client(
        CLIENT_ID,
        client_type="confidential",
        token_endpoint_auth_method="private_key_jwt",
        metadata={"jwks": {"keys": keys}},
    )


def assertion(algorithm: str = "ES256", key: Any = None, headers: dict[str, Any] | None = None, **changed: Any) -> str:
    now = int(time.time())
    good = {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": ISSUER, "exp": now + 60, "iat": now, "jti": uuid4().hex}
    claims = {name: value for name, value in {**good, **changed}.items() if value is not None}
    return jwt.encode(claims, KEYS[algorithm] if key is None else key, algorithm, headers=headers)


def proof(token: str, **changed: str) -> dict[str, str]:
    return {"client_assertion": token, "client_assertion_type": TYPE, **changed}
