"""Discovery and keys (OpenID Connect Discovery s4, RFC 8414 s2)."""

from __future__ import annotations

from django.http import HttpResponse

from . import signing
from .addresses import issuer
from .endpoint import NO_CACHE, Call, machine_endpoint

SCOPES = ("openid", "profile", "email", "offline_access", "demo:read", "demo:write")


@machine_endpoint("discovery", "discovery_requests", "GET", "HEAD")
def discovery(call: Call) -> HttpResponse:
    here = issuer()
    document = {
        "issuer": here,
        "authorization_endpoint": f"{here}/authorize",
        "token_endpoint": f"{here}/token",
        "userinfo_endpoint": f"{here}/userinfo",
        "revocation_endpoint": f"{here}/revoke",
        "jwks_uri": f"{here}/jwks",
        "scopes_supported": SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [call.knobs.alg],
        "token_endpoint_auth_methods_supported": call.knobs.auth_methods,
        "revocation_endpoint_auth_methods_supported": call.knobs.auth_methods,
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid",
            "name", "given_name", "family_name", "preferred_username", "email", "email_verified",
        ],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }  # fmt: skip
    return call.answer(document, NO_CACHE)


@machine_endpoint("jwks", "jwks_requests", "GET", "HEAD")
def jwks(call: Call) -> HttpResponse:
    return call.answer(signing.public_jwks(call.knobs.alg), NO_CACHE)
