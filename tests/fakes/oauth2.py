"""A plain OAuth 2.0 provider: code with PKCE, refresh with rotation and reuse detection, revocation, a user endpoint."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from tests.fakes.server import FakeServer, Reply, Seen, redirect

CLIENT_ID = "authserver-at-fake"
CLIENT_SECRET = "fake+secret/with:odd&characters"


@dataclass
class Grant:
    """What a code or a refresh token stands for."""

    scopes: list[str]
    redirect_uri: str = ""
    challenge: str = ""
    nonce: str = ""
    person: dict[str, Any] = field(default_factory=dict)


class FakeOAuth2(FakeServer):
    """Subclasses override the leaves: `profile`, `token_answer`, `callback_params`, `more`.

    `person` is who is signed in at the provider. `faults` are replies given, in order, in place of a token, and
    `revocation_faults` in place of a revocation; `revoked` are the tokens it was told of, in order.
    """

    authorize_path, token_path, userinfo_path = "/authorize", "/token", "/userinfo"
    revocation_path = "/revoke"
    auth_method = "client_secret_basic"
    expires_in: int | None = 3600
    gives_refresh_token = True
    rotates = True

    def __init__(self) -> None:
        super().__init__()
        self.person: dict[str, Any] = {"id": 1001, "name": "Ada Example", "email": "ada@example.com"}
        self.codes: dict[str, Grant] = {}
        self.refresh_tokens: dict[str, Grant] = {}
        self.access_tokens: dict[str, Grant] = {}
        self.spent: set[str] = set()
        self.faults: list[Reply] = []
        self.revocation_faults: list[Reply] = []
        self.revoked: list[str] = []
        self.params: dict[str, str | None] = {}
        """Merged into what the callback gets; None leaves a parameter out."""

    # --- What a subclass changes --------------------------------------------------------------------------------------

    def profile(self, grant: Grant) -> dict[str, Any]:
        return grant.person

    def token_answer(self, grant: Grant, tokens: dict[str, Any]) -> dict[str, Any]:
        return tokens

    def callback_params(self) -> dict[str, str]:
        return {}

    def more(self, seen: Seen) -> Reply:
        return Reply(404, {"error": "not_found"})

    def refused(self, error: str, status: int = 400) -> Reply:
        return Reply(status, {"error": error, "error_description": "<b>the provider's own words</b>"})

    # --- The protocol -------------------------------------------------------------------------------------------------

    def answer(self, seen: Seen) -> Reply:
        routes: dict[tuple[str, str], Callable[[Seen], Reply]] = {
            ("GET", self.authorize_path): self._authorize,
            ("POST", self.token_path): self._token,
            ("GET", self.userinfo_path): self._userinfo,
            ("POST", self.revocation_path): self._revoke,
        }
        return routes.get((seen.method, seen.path), self.more)(seen)

    def _authorize(self, seen: Seen) -> Reply:
        """The person agrees at once."""
        query = seen.query
        if query.get("client_id") != CLIENT_ID or query.get("response_type") != "code":
            return self.refused("invalid_request")
        if query.get("code_challenge_method") != "S256" or len(query.get("code_challenge", "")) != 43:
            return self.refused("invalid_request")
        code = secrets.token_urlsafe(16)
        with self.lock:
            self.codes[code] = Grant(
                scopes=query.get("scope", "").split(),
                redirect_uri=query["redirect_uri"],
                challenge=query["code_challenge"],
                nonce=query.get("nonce", ""),
                person=dict(self.person),
            )
        params: dict[str, str | None] = {"code": code, "state": query["state"], **self.callback_params(), **self.params}
        return redirect(query["redirect_uri"], {name: value for name, value in params.items() if value is not None})

    def _token(self, seen: Seen) -> Reply:
        with self.lock:
            if self.faults:
                return self.faults.pop(0)
            if not self._authenticated(seen):
                return self.refused("invalid_client", 401)
            if seen.form.get("grant_type") == "refresh_token":
                return self._refresh(seen)
            grant = self.codes.pop(seen.form.get("code", ""), None)
            if grant is None or seen.form.get("redirect_uri") != grant.redirect_uri:
                return self.refused("invalid_grant")
            digest = hashlib.sha256(seen.form.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != grant.challenge:
                return self.refused("invalid_grant")
            return Reply(200, self.issue(grant, refresh=self.gives_refresh_token))

    def _refresh(self, seen: Seen) -> Reply:
        token = seen.form.get("refresh_token", "")
        if token in self.spent:  # reuse: the whole family goes
            self.refresh_tokens.clear()
            return self.refused("invalid_grant")
        grant = self.refresh_tokens.get(token)
        if grant is None:
            return self.refused("invalid_grant")
        if self.rotates:
            del self.refresh_tokens[token]
            self.spent.add(token)
        grant.nonce = ""
        return Reply(200, self.issue(grant, refresh=self.rotates))

    def issue(self, grant: Grant, *, refresh: bool) -> dict[str, Any]:
        """A token answer for a grant."""
        access_token = f"CANARY-AT-{secrets.token_urlsafe(16)}"
        self.access_tokens[access_token] = grant
        tokens: dict[str, Any] = {"access_token": access_token, "token_type": "Bearer"}
        tokens["scope"] = " ".join(grant.scopes)
        if self.expires_in is not None:
            tokens["expires_in"] = self.expires_in
        if refresh:
            tokens["refresh_token"] = f"CANARY-RT-{secrets.token_urlsafe(16)}"
            self.refresh_tokens[tokens["refresh_token"]] = grant
        return self.token_answer(grant, tokens)

    def _revoke(self, seen: Seen) -> Reply:
        """RFC 7009: 200 for unknown tokens too."""
        with self.lock:
            if self.revocation_faults:
                return self.revocation_faults.pop(0)
            if not self._authenticated(seen):
                return self.refused("invalid_client", 401)
            self.end_grant(seen.form.get("token", ""))
            return Reply(200, body=b"")

    def end_grant(self, token: str) -> bool:
        """Note that the token is to end, and end all tokens of its grant; whether it was alive."""
        self.revoked.append(token)
        grant = self.refresh_tokens.get(token) or self.access_tokens.get(token)
        for tokens in (self.refresh_tokens, self.access_tokens):
            for each in [each for each, whose in tokens.items() if whose is grant]:
                del tokens[each]
        return grant is not None

    def _authenticated(self, seen: Seen) -> bool:
        """By exactly the one method: a secret in the body beside Basic is refused (RFC 6749 s2.3)."""
        if self.auth_method == "client_secret_basic":
            scheme, _, encoded = seen.headers.get("authorization", "").partition(" ")
            user, _, secret = base64.b64decode(encoded or b"Og==").decode().partition(":")
            given = (unquote_plus(user), unquote_plus(secret))
            return scheme == "Basic" and given == (CLIENT_ID, CLIENT_SECRET) and "client_secret" not in seen.form
        given = (seen.form.get("client_id", ""), seen.form.get("client_secret", ""))
        return given == (CLIENT_ID, CLIENT_SECRET) and "authorization" not in seen.headers

    def bearer(self, seen: Seen) -> Grant | None:
        scheme, _, token = seen.headers.get("authorization", "").partition(" ")
        return self.access_tokens.get(token) if scheme == "Bearer" else None

    def _userinfo(self, seen: Seen) -> Reply:
        grant = self.bearer(seen)
        return Reply(200, self.profile(grant)) if grant else Reply(401, {"error": "invalid_token"})


class FakeNested(FakeOAuth2):
    """As Slack: the app's own token outside, the person's and who they are in `authed_user`; errors with 200; no user
    endpoint."""

    def token_answer(self, grant: Grant, tokens: dict[str, Any]) -> dict[str, Any]:
        person = {"id": grant.person["id"], **tokens, "scope": ",".join(grant.scopes), "token_type": "user"}
        return {"ok": True, "access_token": "CANARY-AT-of-the-app", "scope": "bot", "authed_user": person}

    def refused(self, error: str, status: int = 400) -> Reply:
        return Reply(200, {"ok": False, "error": error})
