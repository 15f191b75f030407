"""`idp`: the demo provider as a client of it sees it, over HTTP, with its knobs."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.conf import settings
from django.test import Client

from tests.harness.page import Page, read

VERIFIER = "a-code-verifier-of-just-enough-characters-0"
REDIRECT_URI = "http://localhost:8000/oauth/callback/demo"
SCOPE = "openid profile email offline_access demo:read"


def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def page_of(response: Any) -> Page:
    response.text = response.content.decode()
    return read(response, "http://localhost:8000/demo/idp/authorize")


class IdP:
    """The request methods give the response as it came; `answer_of`, `code` and `sign_in` what is in it."""

    path = "/demo/idp"
    issuer = "http://localhost:8000/demo/idp"

    def __init__(self) -> None:
        self.http = Client(headers={"Host": "localhost:8000"})
        self.credentials = basic(settings.DEMO_UPSTREAM_CLIENT_ID, settings.DEMO_UPSTREAM_CLIENT_SECRET)

    def authorization(self, **changes: str | None) -> str:
        """The address that starts a sign-in; a change to None takes a parameter away."""
        asked = {
            "response_type": "code",
            "client_id": settings.DEMO_UPSTREAM_CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "scope": SCOPE,
            "state": "a state",
            "nonce": "a nonce",
            "code_challenge": challenge(VERIFIER),
            "code_challenge_method": "S256",
        } | changes
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return f"{self.path}/authorize?{query}"

    def choose(self, choice: str = "ada", /, **changes: str | None) -> Any:
        return self.http.post(self.authorization(**changes), {"choice": choice})

    def answer_of(self, response: Any) -> dict[str, str]:
        """The parameters that reach the client's redirect URI, by redirect or by the page that moves on."""
        target = response.headers.get("Location") or page_of(response).refresh_url
        assert target is not None, response.content
        return dict(parse_qsl(urlsplit(target).query, keep_blank_values=True, strict_parsing=True))

    def code(self, choice: str = "ada", /, **changes: str | None) -> str:
        return self.answer_of(self.choose(choice, **changes))["code"]

    def token(self, credentials: str | None = None, **form: str) -> Any:
        return self.post("/token", credentials or self.credentials, form)

    def redeem(self, code: str, /, **changes: str) -> Any:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
        return self.token(**(form | {"code_verifier": VERIFIER} | changes))

    def sign_in(self, choice: str = "ada", /, **changes: str | None) -> dict[str, Any]:
        """The token answer of a whole sign-in."""
        response = self.redeem(self.code(choice, **changes))
        assert response.status_code == 200, response.content
        answer: dict[str, Any] = response.json()
        return answer

    def refresh(self, refresh_token: str, **changes: str) -> Any:
        return self.token(grant_type="refresh_token", refresh_token=refresh_token, **changes)

    def revoke(self, token: str) -> Any:
        return self.post("/revoke", self.credentials, {"token": token})

    def post(self, path: str, credentials: str, form: dict[str, str]) -> Any:
        return self.http.post(
            self.path + path,
            urlencode(form),
            content_type="application/x-www-form-urlencoded",
            headers={"Authorization": credentials},
        )

    def get(self, path: str, access_token: str | None = None) -> Any:
        headers = {} if access_token is None else {"Authorization": f"Bearer {access_token}"}
        return self.http.get(self.path + path, headers=headers)

    def turn(self, **knobs: Any) -> dict[str, Any]:
        """Turn knobs; the knobs as they are afterwards."""
        response = self.http.post(
            f"{self.path}/knobs",
            knobs,
            content_type="application/json",
            headers={"Authorization": self.credentials},
        )
        assert response.status_code == 200, response.content
        turned: dict[str, Any] = response.json()["knobs"]
        return turned

    @property
    def counters(self) -> dict[str, int]:
        headers = {"Authorization": self.credentials}
        counters: dict[str, int] = self.http.get(f"{self.path}/knobs", headers=headers).json()["counters"]
        return counters


@pytest.fixture
def idp(db: None) -> IdP:
    return IdP()
