"""Plain OAuth 2.0: who it is stands in the user endpoint's answer, or in the token answer, where the row's `identity` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from social_core.backends.oauth import BaseOAuth2PKCE

from upstream.backends.base import ProviderBackend
from upstream.errors import OutboundFailed
from upstream.identity import Identity, email, first, name, subject

DEFAULT_PATHS = {"subject": ["sub", "id"], "name": ["name"], "email": ["email"], "email_verified": ["email_verified"]}
_TOKENS = {"access_token", "refresh_token", "id_token"}


class OAuth2Backend(ProviderBackend, BaseOAuth2PKCE[Any]):
    """`identity` of the row: for subject, name, email and email_verified the paths to try, in order.

    A path is a member's name or dotted (`authed_user.id`), looked up in the user endpoint's answer and then in the token
    answer. Without a path to `email_verified` no address counts.
    """

    def id_key(self) -> str:
        return ",".join(self._paths("subject"))[:255]

    def _paths(self, member: str) -> list[str]:
        given = self.provider.identity.get(member)
        if member == "subject" and self.provider.subject_claim:
            return [self.provider.subject_claim]
        if isinstance(given, str):
            return [given]
        return [str(path) for path in given] if given else DEFAULT_PATHS[member]

    def user_data(self, access_token: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        url = self.endpoints().userinfo
        profile = self.profile(url, access_token) if url else {}
        if not isinstance(profile, dict):
            raise OutboundFailed("garbage", provider=self.name)
        self.process_error(profile, stage="user_info")
        return {"profile": profile}

    def who(self, response: Mapping[str, Any]) -> Identity:
        profile = response["profile"]
        answer = {member: value for member, value in self.token_answer.items() if member not in _TOKENS}
        sources = [profile, answer]
        return Identity(
            subject=subject(first(sources, self._paths("subject"))),
            name=name(first(sources, self._paths("name"))),
            email=email(first(sources, self._paths("email")), first(sources, self._paths("email_verified"))),
            claims=profile,
        )
