"""GitHub on the wire: comma-separated scopes, errors with 200, addresses at an endpoint of their own."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.fakes.oauth2 import CLIENT_ID, CLIENT_SECRET, FakeOAuth2, Grant
from tests.fakes.server import Reply, Seen


class FakeGithub(FakeOAuth2):
    """An OAuth App by default: no refresh token, no end. `as_app()` makes it a GitHub App."""

    authorize_path, token_path, userinfo_path = "/login/oauth/authorize", "/login/oauth/access_token", "/user"
    auth_method = "client_secret_post"
    expires_in = None
    gives_refresh_token = False
    revocation_path = ""  # it has its own way

    def __init__(self) -> None:
        super().__init__()
        self.person = {"id": 583231, "login": "octocat", "name": "Mona Octocat", "email": "shown@elsewhere.example"}
        self.emails: list[dict[str, Any]] = [
            {"email": "other@example.net", "primary": False, "verified": True},
            {"email": "mona@example.com", "primary": True, "verified": True},
        ]
        self.is_app = False

    def as_app(self) -> None:
        """A GitHub App: no scopes, tokens that end, refresh tokens that rotate."""
        self.is_app, self.expires_in, self.gives_refresh_token = True, 28800, True

    def token_answer(self, grant: Grant, tokens: dict[str, Any]) -> dict[str, Any]:
        tokens |= {"token_type": "bearer", "scope": ",".join(grant.scopes)}
        if self.is_app:
            app_token = "ghu_" + tokens["access_token"]
            self.access_tokens[app_token] = grant
            tokens |= {"access_token": app_token, "scope": "", "refresh_token_expires_in": 15811200}
        return tokens

    def refused(self, error: str, status: int = 400) -> Reply:
        names = {"invalid_grant": "bad_refresh_token", "invalid_client": "incorrect_client_credentials"}
        return Reply(200, {"error": names.get(error, error), "error_uri": "javascript:alert(1)"})

    def more(self, seen: Seen) -> Reply:
        if (seen.method, seen.path) == ("DELETE", f"/applications/{CLIENT_ID}/token"):
            return self._delete_token(seen)
        grant = self.bearer(seen)
        if seen.path != "/user/emails" or grant is None:
            return Reply(404, {"message": "Not Found"})
        if not self.is_app and not {"user", "user:email"} & set(grant.scopes):
            return Reply(404, {"message": "Not Found"})
        return Reply(200, self.emails)

    def _delete_token(self, seen: Seen) -> Reply:
        """The REST API's own call: Basic with the app's id and secret as they are, one access token as JSON."""
        with self.lock:
            if self.revocation_faults:
                return self.revocation_faults.pop(0)
            expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
            if seen.headers.get("authorization") != f"Basic {expected}":
                return Reply(401, {"message": "Bad credentials"})
            known = self.end_grant(json.loads(seen.body)["access_token"])
            return Reply(204, body=b"") if known else Reply(404, {"message": "Not Found"})
