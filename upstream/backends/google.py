"""Google: OpenID Connect that gives a refresh token once, and again only after a new consent."""

from __future__ import annotations

from collections.abc import Mapping

from upstream.backends.oidc import OidcBackend

_IDENTITY_SCOPES = {"openid", "email", "profile"}


class GoogleBackend(OidcBackend):
    """`hd`, the hosted domain, is a claim like any other: `allow: {claims: {hd: example.com}}`."""

    def quirks(self, params: Mapping[str, str]) -> dict[str, str]:
        """`prompt=consent` where a refresh token is needed and none is held: Google repeats it for nothing less."""
        asked = params.get("prompt", "").split()
        if "none" in asked:
            return {"prompt": "none"}
        # `login` is not among Google's values; the account chooser is its nearest.
        asked = ["select_account" if value == "login" else value for value in asked]
        if set(self.transaction.scopes) - _IDENTITY_SCOPES and not self.transaction.renewable:
            asked.append("consent")
        return {"prompt": " ".join(dict.fromkeys(asked))} if asked else {}

    def extra_claims_url(self) -> str:
        """The ID token has it all: UserInfo is asked only where the row names it."""
        return self.provider.userinfo_endpoint
