"""A plain OAuth client in httpx: discover, register, authorize, token, refresh, exchange. No SDK between us and the wire.

    client = OAuthClient.registered(issuer, redirect_uri="http://127.0.0.1:7777/callback")
    flow = client.begin(resource="http://localhost:9000/mcp")
    callback = Person().authorize(flow.url)
    tokens = client.finish(flow, callback)             # {"access_token": ..., "refresh_token": ..., ...}
    client.refresh(tokens["refresh_token"])
    exchange(issuer, tokens["access_token"], server="demo-mcp-server", secret=..., audience="demo")

Methods named after a request (`register`, `token`, ...) give the `httpx.Response` as it came; those that promise a
result (`registered`, `finish`, `refresh`) raise `Refused` when the server said no.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from tests.harness.person import parameters

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
TIMEOUT_SECONDS = 20.0


class Refused(AssertionError):
    """The server answered with an error; `response` is the whole of it."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(
            f"{response.request.method} {response.request.url.path}: {response.status_code} {response.text[:600]}"
        )
        self.response = response


def taken(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of a successful answer."""
    if response.status_code not in {200, 201}:
        raise Refused(response)
    body = response.json()
    assert isinstance(body, dict)
    return body


def discover(issuer: str) -> dict[str, Any]:
    """RFC 8414 metadata of `issuer`, its well-known path inserted before the issuer's own (s3.1)."""
    parts = urlsplit(issuer)
    url = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path}"
    return taken(httpx.get(url, timeout=TIMEOUT_SECONDS))


def register(issuer: str, **metadata: Any) -> httpx.Response:
    """POST client metadata (RFC 7591 s3.1)."""
    return httpx.post(f"{issuer}/oauth/register", json=metadata, timeout=TIMEOUT_SECONDS)


def exchange(
    issuer: str,
    subject_token: str,
    *,
    server: str,
    secret: str,
    **form: str,
) -> httpx.Response:
    """Trade one of our JWTs for the upstream's token as resource server `server` (RFC 8693 s2.1); `form` adds members."""
    return httpx.post(
        f"{issuer}/oauth/token",
        auth=(server, secret),
        data={
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": subject_token,
            "subject_token_type": ACCESS_TOKEN,
            **form,
        },
        timeout=TIMEOUT_SECONDS,
    )


def claims(unverified_jwt: str) -> dict[str, Any]:
    """What a JWT says, its signature unchecked: for looking, not for trusting."""
    return _segment(unverified_jwt, 1)


def header(unverified_jwt: str) -> dict[str, Any]:
    """A JWT's header."""
    return _segment(unverified_jwt, 0)


def _segment(unverified_jwt: str, index: int) -> dict[str, Any]:
    segment = unverified_jwt.split(".")[index]
    decoded = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    assert isinstance(decoded, dict)
    return decoded


@dataclass(frozen=True)
class Flow:
    """One authorization under way: the URL to send the person to, and what only the client knows."""

    url: str
    state: str
    verifier: str = field(repr=False)
    redirect_uri: str
    resource: str | None


@dataclass(frozen=True)
class OAuthClient:
    """A client of ours. `secret` is None for a public one; `method` is its token_endpoint_auth_method."""

    issuer: str
    client_id: str
    redirect_uri: str
    secret: str | None = field(default=None, repr=False)
    method: str = "none"

    @classmethod
    def registered(
        cls, issuer: str, redirect_uri: str = "http://127.0.0.1:7777/callback", **metadata: Any
    ) -> OAuthClient:
        """Register dynamically; `metadata` adds to or replaces what is sent."""
        answer = taken(register(issuer, **{"client_name": "Test client", "redirect_uris": [redirect_uri], **metadata}))
        return cls(
            issuer=issuer,
            client_id=answer["client_id"],
            redirect_uri=redirect_uri,
            secret=answer.get("client_secret"),
            method=answer["token_endpoint_auth_method"],
        )

    def begin(self, *, resource: str | None = None, scope: str | None = None, **extra: str) -> Flow:
        """Fresh state and PKCE, and the authorization URL made of them; `extra` adds or replaces parameters."""
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": state,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        if resource is not None:
            query["resource"] = resource
        if scope is not None:
            query["scope"] = scope
        query |= extra
        url = f"{self.issuer}/oauth/authorize?{urlencode(query)}"
        return Flow(url, query["state"], verifier, query["redirect_uri"], resource)

    def code(self, flow: Flow, callback: str) -> str:
        """The code in the callback address, after the checks that a client owes itself (state, RFC 9207 iss)."""
        answer = parameters(callback)
        assert answer.get("error") is None, f"{answer['error']}: {answer.get('error_description')}"
        assert answer["state"] == flow.state, "the state is not ours"
        assert answer["iss"] == self.issuer, "the answer is another issuer's"
        return answer["code"]

    def redeem(self, flow: Flow, code: str, **replaced: str) -> httpx.Response:
        """POST the code with its verifier (RFC 6749 s4.1.3, RFC 7636 s4.5); `replaced` adds or replaces members."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
        }
        if flow.resource is not None:
            form["resource"] = flow.resource
        return self.token(form | replaced)

    def finish(self, flow: Flow, callback: str) -> dict[str, Any]:
        """From the callback address to the tokens."""
        return taken(self.redeem(flow, self.code(flow, callback)))

    def refresh(self, refresh_token: str, **extra: str) -> dict[str, Any]:
        """Fresh tokens (RFC 6749 s6)."""
        return taken(self.token({"grant_type": "refresh_token", "refresh_token": refresh_token, **extra}))

    def token(self, form: Mapping[str, str]) -> httpx.Response:
        """POST to the token endpoint, authenticated the way the client is registered."""
        data, auth = dict(form), None
        if self.method == "client_secret_basic" and self.secret is not None:
            auth = httpx.BasicAuth(self.client_id, self.secret)
        else:
            data["client_id"] = self.client_id
            if self.method == "client_secret_post" and self.secret is not None:
                data["client_secret"] = self.secret
        return httpx.post(f"{self.issuer}/oauth/token", data=data, auth=auth, timeout=TIMEOUT_SECONDS)


def challenge(verifier: str) -> str:
    """S256 (RFC 7636 s4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
