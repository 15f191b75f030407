"""Atlassian (3LO): the profile from `/me`, which needs no Jira site; refresh tokens rotate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from social_core.backends.oauth import BaseOAuth2PKCE

from upstream.backends.base import ProviderBackend
from upstream.errors import OutboundFailed, SignInRefused
from upstream.identity import Identity, email, name, subject


class AtlassianBackend(ProviderBackend, BaseOAuth2PKCE[Any]):
    """The subject is `account_id`."""

    ID_KEY = "account_id"

    def user_data(self, access_token: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        profile = self.profile(self.endpoints().userinfo, access_token)
        if not isinstance(profile, dict):
            raise OutboundFailed("garbage", provider=self.name)
        return {"profile": profile}

    def who(self, response: Mapping[str, Any]) -> Identity:
        profile = response["profile"]
        if profile.get("account_status", "active") != "active":
            raise SignInRefused("account_not_active")
        return Identity(
            subject=subject(profile.get("account_id")),
            name=name(profile.get("name") or profile.get("nickname")),
            email=email(profile.get("email"), profile.get("email_verified")),
            claims=profile,
        )
