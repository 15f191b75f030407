"""GitHub, and GitHub Enterprise Server by the row's endpoints. Its quirks: errors with 200, no ID token, addresses apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from social_core.backends.oauth import BaseOAuth2PKCE

from upstream import answers
from upstream.backends.base import ProviderBackend
from upstream.errors import OutboundFailed
from upstream.identity import Identity, email, name, subject


class GithubBackend(ProviderBackend, BaseOAuth2PKCE[Any]):
    """The subject is the numeric `id`: a `login` can be given up, and somebody else takes it."""

    ID_KEY = "id"

    def quirks(self, params: Mapping[str, str]) -> dict[str, str]:
        hints = self.transaction.hints
        added = {"login": hints["login_hint"]} if hints.get("login_hint") else {}
        if {"login", "select_account"} & set(hints.get("prompt", "").split()):
            added["prompt"] = "select_account"
        return added

    def user_data(self, access_token: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        url = self.endpoints().userinfo
        profile = self.profile(url, access_token)
        if not isinstance(profile, dict):
            raise OutboundFailed("garbage", provider=self.name)
        return {"profile": profile, "primary": self._primary(f"{url.rstrip('/')}/emails", access_token)}

    def _primary(self, url: str, access_token: str) -> Mapping[str, Any]:
        """The primary address; empty where the scope (or a GitHub App's permissions) does not show it.

        The profile's own `email` is what the person chose to display, which need not be verified or be theirs.
        """
        scope = answers.member(self.provider, self.token_answer).get("scope")
        granted = set(scope.replace(",", " ").split()) if isinstance(scope, str) else set()
        if granted and not granted & {"user", "user:email"}:
            return {}
        try:
            addresses = self.profile(url, access_token)
        except OutboundFailed as error:
            if error.reason in {"user_info_http_403", "user_info_http_404"}:
                return {}
            raise
        found = [entry for entry in addresses if isinstance(entry, dict) and entry.get("primary") is True]
        return found[0] if found else {}

    def who(self, response: Mapping[str, Any]) -> Identity:
        profile, primary = response["profile"], response["primary"]
        return Identity(
            subject=subject(profile.get("id")),
            name=name(profile.get("name") or profile.get("login")),
            email=email(primary.get("email"), primary.get("verified")),
            claims=profile,
        )
