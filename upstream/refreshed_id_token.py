"""The ID token of a refresh: is it still the same person's (OpenID Connect Core s12.2)?

It came from the token endpoint itself, over TLS and to us as an authenticated client, which stands in place of its
signature (s3.1.3.7 point 6). Looking at it asks nobody: between the provider's answer and the write that keeps it there
is nothing to wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt

from upstream import presets
from upstream.discovery import TENANT_PLACEHOLDER, endpoints
from upstream.errors import UpstreamError
from upstream.identity import at
from upstream.models import Provider


def issuer(provider: Provider) -> str:
    """Whose it has to be, as discovery says; empty where that is not to be known now, or the provider gives none."""
    if not presets.of(provider).is_oidc:
        return ""
    try:
        return endpoints(provider).issuer
    except UpstreamError:
        return ""


def flaw(provider: Provider, issuer: str, unverified: str | None, before: str | None, subject: str) -> str:
    """What is wrong with it, in a word; empty for nothing. `before` is the ID token held, `subject` the credential's."""
    if unverified is None or not presets.of(provider).is_oidc:
        return ""
    claims, old = _claims(unverified), _claims(before) if before else {}
    if claims is None or not isinstance(claims.get("sub"), str):
        return "id_token_malformed"
    if claims.get("aud") not in (provider.client_id, [provider.client_id]):
        return "id_token_audience"
    tenant = claims.get("tid")
    expected = issuer.replace(TENANT_PLACEHOLDER, tenant) if isinstance(tenant, str) else issuer
    # Where the issuer is not to be known now, the old token's still is.
    if (expected and claims.get("iss") != expected) or (old and claims.get("iss") != old.get("iss")):
        return "id_token_issuer"
    if old and claims["sub"] != old.get("sub"):
        return "id_token_subject_changed"
    if _subject(provider, claims, issuer) not in (None, subject):
        return "id_token_subject_changed"
    return ""


def _subject(provider: Provider, claims: Mapping[str, Any], issuer: str) -> str | None:
    """Our subject in these claims; None where a refresh leaves the claim out."""
    is_entra = provider.type == Provider.Type.ENTRA
    found = at(claims, provider.subject_claim or ("oid" if is_entra else "sub"))
    if found is None:
        return None
    return f"{claims.get('tid')}.{found}" if TENANT_PLACEHOLDER in issuer else str(found)


def _claims(token: str) -> dict[str, Any] | None:
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    return claims
