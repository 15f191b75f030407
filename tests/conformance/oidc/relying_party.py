"""What a relying party does with an ID token: the keys of our JWKS, and every check of OpenID Connect Core s3.1.3.7."""

from __future__ import annotations

from typing import Any

import jwt
from django.test import Client as Http

ISSUER = "http://localhost:8000"
REQUIRED = ["iss", "sub", "aud", "exp", "iat", "auth_time", "at_hash"]


def document() -> dict[str, Any]:
    """OpenID Connect Discovery 1.0 section 4."""
    answer = Http().get("/.well-known/openid-configuration")
    assert answer.status_code == 200
    return answer.json()  # type: ignore[no-any-return]


def keys() -> dict[str, Any]:
    return Http().get("/.well-known/jwks.json").json()  # type: ignore[no-any-return]


def checked(id_token: str, client_id: str) -> dict[str, Any]:
    """The claims, by PyJWT with the public key, of an algorithm that discovery lists."""
    header = jwt.get_unverified_header(id_token)
    assert header["typ"] == "JWT"
    [key] = [key for key in keys()["keys"] if key["kid"] == header["kid"]]
    return jwt.decode(
        id_token,
        jwt.PyJWK(key),
        algorithms=document()["id_token_signing_alg_values_supported"],
        audience=client_id,
        issuer=ISSUER,
        options={"require": REQUIRED, "strict_aud": True},
    )


def ask(token: str | None = None, method: str = "GET", **headers: str) -> Any:
    """UserInfo, with the token in the header."""
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return Http().generic(method, "/oauth/userinfo", headers=headers)
