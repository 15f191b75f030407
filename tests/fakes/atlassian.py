"""Atlassian 3LO on the wire: `audience` and `prompt` required, a profile at `/me`, rotating refresh tokens."""

from __future__ import annotations

from tests.fakes.oauth2 import FakeOAuth2
from tests.fakes.server import Reply, Seen


class FakeAtlassian(FakeOAuth2):
    token_path, userinfo_path = "/oauth/token", "/me"
    auth_method = "client_secret_post"

    def __init__(self) -> None:
        super().__init__()
        self.person = {
            "account_id": "557058:0a1b2c3d",
            "account_type": "atlassian",
            "account_status": "active",
            "name": "Grace Example",
            "email": "grace@example.com",
            "email_verified": True,
        }

    def answer(self, seen: Seen) -> Reply:
        if seen.path == self.authorize_path and seen.query.get("audience") != "api.atlassian.com":
            return self.refused("invalid_request")
        return super().answer(seen)

    def refused(self, error: str, status: int = 400) -> Reply:
        if error == "invalid_grant":
            words = {"error": "unauthorized_client", "error_description": "refresh_token is invalid"}
            return Reply(403, words)
        return super().refused(error, status)
