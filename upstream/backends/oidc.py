"""OpenID Connect: social-auth's client, with the checks it leaves open closed (OpenID Connect Core s3.1.3.7)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import time
from collections.abc import Mapping
from typing import Any

import jwt
from jwt.utils import base64url_decode
from social_core.backends.open_id_connect import OpenIdConnectAuth

from upstream import discovery
from upstream.backends.base import ProviderBackend
from upstream.errors import SignInRefused
from upstream.identity import Identity, at, email, name, subject

LEEWAY_SECONDS = 30
MAX_AGE_SECONDS = 600
"""How old a fresh ID token may be: it was made while we waited for it."""

_HASHES = {"256": hashlib.sha256, "EdDSA": hashlib.sha512}


class OidcBackend(ProviderBackend, OpenIdConnectAuth[Any]):
    """Identity comes from the signed ID token; UserInfo may only add to it."""

    USE_NONCE = True
    DEFAULT_USE_PKCE = True
    JWT_LEEWAY = LEEWAY_SECONDS
    HINTS = ("login_hint", "prompt", "ui_locales", "max_age", "acr_values")
    SUBJECT_CLAIM = "sub"

    def setting(self, name: str, default: Any = None) -> Any:
        if name == "JWT_ALGORITHMS":
            return list(discovery.OUR_ALGORITHMS)  # `find_valid_key` has held the token to the provider's own by then
        return super().setting(name, default)

    def id_key(self) -> str:
        return self.provider.subject_claim or self.SUBJECT_CLAIM

    def look_at(self, unverified: str) -> None:
        """Before a token's issuer and keys are asked for: a type may need to know which one it says it is from."""

    def id_token_issuer(self) -> str:
        return self.endpoints().issuer

    def userinfo_url(self) -> str:
        return self.endpoints().userinfo

    def find_valid_key(self, id_token: str) -> dict[str, Any] | None:
        """The provider's key that signed this, with the one algorithm it may have been used with; None for none.

        Not social-auth's own: that one tries `oct` and encryption keys too, and guesses RS256 where a key names nothing.
        """
        header = jwt.get_unverified_header(id_token)
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in discovery.algorithms(self.provider, algorithm):
            raise SignInRefused("id_token_algorithm", provider=self.name)
        if not (key_id is None or isinstance(key_id, str)):
            raise SignInRefused("id_token_header", provider=self.name)
        message, _, signature = id_token.rpartition(".")
        for candidate in self.signing_keys(algorithm, key_id):
            key = jwt.PyJWK(candidate, algorithm=algorithm)
            if key.Algorithm.verify(message.encode(), key.key, base64url_decode(signature.encode())):
                return {**candidate, "alg": algorithm}
        return None

    def signing_keys(self, algorithm: str, key_id: str | None) -> list[dict[str, Any]]:
        return discovery.signing_keys(self.provider, algorithm, key_id)

    def validate_authorized_party(self, claims: Mapping[str, Any], client_id: str) -> None:
        """For us alone: we trust no other audience (s3.1.3.7 points 3 to 5)."""
        if claims.get("aud") not in (client_id, [client_id]) or claims.get("azp", client_id) != client_id:
            raise SignInRefused("id_token_audience", provider=self.name)

    def validate_claims(self, claims: Mapping[str, Any]) -> None:
        """What signature, issuer, audience and end of life do not say."""
        if not isinstance(claims.get("sub"), str):
            raise SignInRefused("id_token_subject", provider=self.name)
        subject(claims["sub"])
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), self.transaction.nonce.encode()):
            raise SignInRefused("id_token_nonce", provider=self.name)
        now = time.time()
        issued_at, not_before, signed_in_at = (_seconds(claims.get(c), self.name) for c in ("iat", "nbf", "auth_time"))
        if issued_at is None or not -LEEWAY_SECONDS <= now - issued_at <= MAX_AGE_SECONDS:
            raise SignInRefused("id_token_times", provider=self.name)
        if any(moment is not None and moment > now + LEEWAY_SECONDS for moment in (not_before, signed_in_at)):
            raise SignInRefused("id_token_times", provider=self.name)

    def validate_at_hash(self, claims: Mapping[str, Any], access_token: str, key: Mapping[str, Any]) -> bool:
        """The access token is the ID token's own, where it says so (s3.1.3.6; SHA-512 for Ed25519, as others do)."""
        if "at_hash" not in claims:
            return True
        algorithm = key["alg"]
        digest = _HASHES[algorithm if algorithm in _HASHES else algorithm[2:]](access_token.encode()).digest()
        expected = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
        given = claims["at_hash"]
        return isinstance(given, str) and hmac.compare_digest(given.encode(), expected.encode())

    def user_data(self, access_token: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The ID token's claims over UserInfo's (Core s5.3.2: UserInfo must be about the same subject)."""
        signed: dict[str, Any] = dict(self.id_token or {})
        url = self.extra_claims_url()
        if not url:
            return {"claims": signed}
        info = self.profile(url, access_token)
        if not isinstance(info, dict) or info.get("sub") != signed["sub"]:
            raise SignInRefused("userinfo_subject", provider=self.name)
        if "email" in signed:  # an address and its verification come from one place
            info = {claim: value for claim, value in info.items() if claim not in {"email", "email_verified"}}
        return {"claims": {**info, **signed}}

    def extra_claims_url(self) -> str:
        """UserInfo, where the ID token may not say everything; empty for none."""
        return self.userinfo_url()

    def who(self, response: Mapping[str, Any]) -> Identity:
        claims = response["claims"]
        return Identity(
            subject=self.subject_of(self.id_token or {}),
            name=name(claims.get("name") or claims.get("preferred_username")),
            email=email(claims.get("email"), self.email_verified(claims)),
            claims=claims,
        )

    def subject_of(self, claims: Mapping[str, Any]) -> str:
        """Our subject in an ID token's claims. Only signed claims identify."""
        return subject(at(claims, self.id_key()))

    def email_verified(self, claims: Mapping[str, Any]) -> Any:
        return claims.get("email_verified")


def _seconds(value: Any, provider: str) -> float | None:
    """A NumericDate (RFC 7519 s2), None for none; text and booleans are not numbers."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SignInRefused("id_token_times", provider=provider)
    return float(value)
