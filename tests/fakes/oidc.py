"""OpenID Connect providers: a plain one, Google, Entra. `forge` makes their ID tokens wrong in any way."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.fakes.oauth2 import CLIENT_ID, FakeOAuth2, Grant
from tests.fakes.server import Reply, Seen

Forge = Callable[[dict[str, Any]], None]
TENANT = "11111111-2222-4333-8444-555555555555"

_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_EC = ec.generate_private_key(ec.SECP256R1())
_ED = ed25519.Ed25519PrivateKey.generate()
PRIVATE_KEYS: dict[str, Any] = {"RS256": _RSA, "PS256": _RSA, "ES256": _EC, "EdDSA": _ED}


def public_jwk(algorithm: str, key_id: str, private: Any = None) -> dict[str, Any]:
    """The public half as a provider publishes it."""
    public = (private or PRIVATE_KEYS[algorithm]).public_key()
    maker: Any = {"RS256": RSAAlgorithm, "PS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}[algorithm]
    jwk: dict[str, Any] = json.loads(maker.to_jwk(public))
    return {"kty": jwk.pop("kty"), **jwk, "kid": key_id, "use": "sig", "alg": algorithm}


class FakeOidc(FakeOAuth2):
    """Signs with `algorithm` under the key id `key_id`. `forge` changes the claims, `header` and `sign` the token."""

    userinfo_claims = True

    def __init__(self) -> None:
        super().__init__()
        self.person = {"sub": "ada-1", "name": "Ada Example", "email": "ada@example.com", "email_verified": True}
        self.algorithm, self.key_id = "ES256", "key-1"
        self.private: Any = None
        self.jwks: list[dict[str, Any]] | None = None
        self.forge: Forge = lambda claims: None
        self.header: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] | None = None
        self.document: dict[str, Any] = {}
        """Merged into the discovery document."""
        self.userinfo: dict[str, Any] = {}
        """Merged into UserInfo's answer."""
        self.down: set[str] = set()
        """Paths that answer 503."""

    @property
    def issuer(self) -> str:
        return self.url

    def callback_params(self) -> dict[str, str]:
        return {"iss": self.issuer}

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": self.url + self.authorize_path,
            "token_endpoint": self.url + self.token_path,
            "userinfo_endpoint": self.url + self.userinfo_path,
            "jwks_uri": f"{self.url}/jwks",
            "revocation_endpoint": self.url + self.revocation_path,
            "id_token_signing_alg_values_supported": [self.algorithm],
            "token_endpoint_auth_methods_supported": [self.auth_method],
            "authorization_response_iss_parameter_supported": True,
            **self.document,
        }

    def published_keys(self) -> list[dict[str, Any]]:
        return self.jwks if self.jwks is not None else [public_jwk(self.algorithm, self.key_id, self.private)]

    def answer(self, seen: Seen) -> Reply:
        if seen.path in self.down:
            return Reply(503, {"error": "temporarily_unavailable"})
        if seen.path.endswith("/.well-known/openid-configuration"):
            return Reply(200, self.discovery())
        if seen.path == "/jwks":
            return Reply(200, {"keys": self.published_keys()})
        return super().answer(seen)

    def profile(self, grant: Grant) -> dict[str, Any]:
        return {**grant.person, **self.userinfo}

    def claims(self, grant: Grant, access_token: str) -> dict[str, Any]:
        now = int(time.time())
        digest = hashlib.sha256(access_token.encode()).digest()[:16]
        return {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "at_hash": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            **({"nonce": grant.nonce} if grant.nonce else {}),
            **grant.person,
        }

    def token_answer(self, grant: Grant, tokens: dict[str, Any]) -> dict[str, Any]:
        claims = self.claims(grant, tokens["access_token"])
        if self.algorithm == "EdDSA":
            del claims["at_hash"]
        self.forge(claims)
        tokens["id_token"] = self.sign(claims) if self.sign else self.signed(claims)
        return tokens

    def signed(self, claims: dict[str, Any]) -> str:
        key = self.private or PRIVATE_KEYS[self.algorithm]
        return jwt.encode(claims, key, self.algorithm, headers={"kid": self.key_id, **self.header})


class FakeGoogle(FakeOidc):
    """A refresh token on the first consent, and afterwards only where `prompt=consent` asks for a new one."""

    auth_method = "client_secret_post"
    rotates = False

    def __init__(self) -> None:
        super().__init__()
        self.person |= {"sub": "110169484474386276334", "hd": "example.com"}
        self.algorithm = "RS256"
        self.has_consented = False

    def answer(self, seen: Seen) -> Reply:
        if seen.path == self.authorize_path:
            offline = seen.query.get("access_type") == "offline"
            self.gives_refresh_token = offline and (
                not self.has_consented or "consent" in seen.query.get("prompt", "").split()
            )
            self.has_consented = True
        return super().answer(seen)

    def token_answer(self, grant: Grant, tokens: dict[str, Any]) -> dict[str, Any]:
        prefix = "https://www.googleapis.com/auth/userinfo."
        tokens["scope"] = " ".join(prefix + scope if scope in {"email", "profile"} else scope for scope in grant.scopes)
        return super().token_answer(grant, tokens)

    def _revoke(self, seen: Seen) -> Reply:
        """Nobody authenticates, a token that is not alive is an error, and one token ends its grant."""
        with self.lock:
            if self.revocation_faults:
                return self.revocation_faults.pop(0)
            known = set(seen.form) == {"token"} and self.end_grant(seen.form["token"])
            return Reply(200, {}) if known else Reply(400, {"error": "invalid_token"})


class FakeEntra(FakeOidc):
    """Keys without `alg`; over a shared tenant, an issuer that is a template. Wants `scope` at a refresh."""

    auth_method = "client_secret_post"

    def __init__(self, tenant: str = TENANT) -> None:
        super().__init__()
        self.tenant = tenant
        self.algorithm = "RS256"
        self.person = {
            "sub": "pairwise-for-this-app",
            "oid": "99999999-8888-4777-8666-555555555555",
            "tid": TENANT,
            "name": "Edsger Example",
            "preferred_username": "edsger@example.com",
            "email": "edsger@example.com",
        }
        self.document = {"authorization_response_iss_parameter_supported": False, "revocation_endpoint": None}

    @property
    def configured_issuer(self) -> str:
        return f"{self.url}/{self.tenant}/v2.0"

    @property
    def issuer(self) -> str:
        return f"{self.url}/{TENANT}/v2.0"

    def discovery(self) -> dict[str, Any]:
        tenant = self.tenant if self.tenant == TENANT else "{tenantid}"
        return {**super().discovery(), "issuer": f"{self.url}/{tenant}/v2.0"}

    def callback_params(self) -> dict[str, str]:
        return {}

    def published_keys(self) -> list[dict[str, Any]]:
        return [{name: value for name, value in key.items() if name != "alg"} for key in super().published_keys()]

    def token_answer(self, grant: Grant, tokens: dict[str, Any]) -> dict[str, Any]:
        tokens["scope"] = " ".join(scope for scope in grant.scopes if scope != "offline_access")
        return super().token_answer(grant, tokens)

    def _refresh(self, seen: Seen) -> Reply:
        return super()._refresh(seen) if seen.form.get("scope") else self.refused("invalid_request")
