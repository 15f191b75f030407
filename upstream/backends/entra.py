"""Microsoft Entra ID: OpenID Connect whose shared tenants publish a template in place of an issuer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jwt

from upstream import discovery
from upstream.backends.oidc import OidcBackend
from upstream.discovery import TENANT_PLACEHOLDER
from upstream.errors import SignInRefused
from upstream.identity import subject

_TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class EntraBackend(OidcBackend):
    """The subject is `oid`, the same for all apps of a tenant (`sub` is another one for each app).

    Over a shared tenant (`.../common/v2.0`, `organizations`, `consumers`) it is `<tid>.<oid>`, because an object id is
    its tenant's own, and the issuer must be exactly that tenant's. The address counts only with `xms_edov`: any
    administrator of any tenant can write any address into `email`.
    """

    SUBJECT_CLAIM = "oid"

    def decode_and_validate_id_token(self, id_token: str, access_token: str) -> dict[str, Any]:
        self.look_at(id_token)
        claims: dict[str, Any] = super().decode_and_validate_id_token(id_token, access_token)  # type: ignore[no-untyped-call]  # social-auth's
        return claims

    def look_at(self, unverified: str) -> None:
        self._unverified_tenant = self._tenant_of(unverified)

    def _tenant_of(self, id_token: str) -> str:
        """The tenant the token claims to be from. The issuer made of it is then compared with the signed one."""
        if TENANT_PLACEHOLDER not in self.endpoints().issuer:
            return ""
        tenant = jwt.decode(id_token, options={"verify_signature": False}).get("tid")
        if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
            raise SignInRefused("id_token_tenant", provider=self.name)
        return tenant

    def id_token_issuer(self) -> str:
        return self.endpoints().issuer.replace(TENANT_PLACEHOLDER, self._unverified_tenant)

    def signing_keys(self, algorithm: str, key_id: str | None) -> list[dict[str, Any]]:
        """A key that names an issuer signs for that issuer only."""
        issuer = self.id_token_issuer()
        return [
            key
            for key in discovery.signing_keys(self.provider, algorithm, key_id)
            if str(key.get("issuer", issuer)).replace(TENANT_PLACEHOLDER, self._unverified_tenant) == issuer
        ]

    def extra_claims_url(self) -> str:
        """UserInfo is Graph's, and a token for another API is refused there: asked only where the row names it."""
        return self.provider.userinfo_endpoint

    def subject_of(self, claims: Mapping[str, Any]) -> str:
        found = super().subject_of(claims)
        if TENANT_PLACEHOLDER in self.endpoints().issuer:
            return subject(f"{claims.get('tid')}.{found}")
        return found

    def email_verified(self, claims: Mapping[str, Any]) -> Any:
        return claims.get("xms_edov") in (True, 1, "1", "true")
