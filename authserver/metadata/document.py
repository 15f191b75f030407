"""What we say of ourselves: RFC 8414 and OpenID Connect Discovery, listing exactly what works."""

from __future__ import annotations

from typing import Any

from authserver import languages, policy
from authserver.claims import PERSONAL
from authserver.client_jwks import ALGORITHMS
from authserver.client_metadata import AUTH_METHODS, KEY_METHOD
from authserver.conf import load
from authserver.grant_types import GRANT_TYPES
from authserver.keys import signer


def authorization_server() -> dict[str, Any]:
    """RFC 8414 section 2, with RFC 9207, Client ID Metadata Documents, and what OpenID Connect adds.

    No `scopes_supported`: clients ask for every scope listed, and what may be asked for is the resource's to say.
    """
    conf, registration = load(), policy.current().registration
    document: dict[str, Any] = {
        "issuer": conf.issuer,
        "authorization_endpoint": conf.url("/oauth/authorize"),
        "token_endpoint": conf.url("/oauth/token"),
        "revocation_endpoint": conf.url("/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": [*AUTH_METHODS, KEY_METHOD],
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_endpoint": conf.url("/oauth/introspect"),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "introspection_signing_alg_values_supported": signing_algorithms(),
        "jwks_uri": conf.url("/.well-known/jwks.json"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": [*AUTH_METHODS, KEY_METHOD],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": conf.authorization_response_iss,
        "client_id_metadata_document_supported": registration.cimd.enabled,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "claims_parameter_supported": False,
        "ui_locales_supported": languages.supported(),
        "userinfo_endpoint": conf.url("/oauth/userinfo"),
        "end_session_endpoint": conf.url("/oauth/logout"),  # RP-Initiated Logout 1.0 section 2.1
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": signing_algorithms(),
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", *told()],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
    }
    if registration.mode != "closed":
        document["registration_endpoint"] = conf.url("/oauth/register")
    return document


def openid() -> dict[str, Any]:
    """OpenID Connect Discovery 1.0 section 3: the same server, and the scopes that say something of the person.

    Never `offline_access`: no refresh token hangs on it, and clients that find it here add `prompt=consent` every time.
    """
    return {**authorization_server(), "scopes_supported": ["openid", *sorted(set(PERSONAL.values()), reverse=True)]}


def signing_algorithms() -> list[str]:
    """Of every key that verifies, the signing one first: while keys turn over, tokens of both are about."""
    return list(dict.fromkeys(key["alg"] for key in signer().public_jwks()["keys"]))


def told() -> list[str]:
    return [*PERSONAL, "email_verified"]
