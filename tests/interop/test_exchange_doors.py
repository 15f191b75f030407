"""Token exchange as gateways and libraries speak it: what each sends, byte for byte, and the rules by which it takes an answer.

They are written in Go, Rust, Java and TypeScript, so what each source file does is repeated here. Each test names the file,
as it was in August 2026; a gateway that changes its mind shows up where its own tests do, not here.
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus, urlencode, urlsplit

import httpx
import pytest

from tests.harness.oauth import ACCESS_TOKEN, TOKEN_EXCHANGE, OAuthClient
from tests.harness.person import Person
from tests.harness.server import Server

pytestmark = pytest.mark.interop

JWT = "urn:ietf:params:oauth:token-type:jwt"
FORM = "application/x-www-form-urlencoded"
CALLER = "demo-mcp-server"
Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    challenge: str | None
    body: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Door:
    """The token endpoint, and what a gateway in front of the demo's MCP server knows."""

    issuer: str
    secret: str = field(repr=False)
    subject_token: str = field(repr=False)

    @property
    def api(self) -> str:
        return f"{self.issuer}/demo/idp/api"

    def send(self, headers: dict[str, str], pairs: Pairs, encode: Callable[[Pairs], str] = urlencode) -> Answer:
        """POST exactly these headers, in this order, and this body; only Host and Content-Length are added."""
        address, body = urlsplit(f"{self.issuer}/oauth/token"), encode(pairs).encode()
        connection = http.client.HTTPConnection(address.netloc, timeout=20)
        try:
            connection.putrequest("POST", address.path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            kind, challenge = response.getheader("Content-Type", ""), response.getheader("WWW-Authenticate")
            return Answer(response.status, kind, challenge, json.loads(response.read()))
        finally:
            connection.close()

    def opens(self, token: str) -> bool:
        """Whether this is the person's own token at the demo provider."""
        answer = httpx.get(f"{self.issuer}/demo/idp/userinfo", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code == 200


@pytest.fixture(scope="module")
def door(demo_server: Server) -> Door:
    client = OAuthClient.registered(demo_server.issuer)
    flow = client.begin(resource=f"{demo_server.issuer}/demo/mcp")
    tokens = client.finish(flow, Person().authorize(flow.url))
    return Door(demo_server.issuer, demo_server.secret("demo_resource_server_secret"), tokens["access_token"])


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def form_encoded(text: str) -> str:
    """`encodeURIComponent` and oauth4webapi's additions: nothing but letters and digits stays as it is."""
    return quote_plus(text, safe="").replace("-", "%2D").replace("_", "%5F").replace(".", "%2E").replace("~", "%7E")


def test_toolhive(door: Door) -> None:
    """stacklok/toolhive: pkg/oauthproto/grants.go, pkg/oauthproto/tokenexchange/exchange.go."""
    pairs = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": door.subject_token,
        "subject_token_type": ACCESS_TOKEN,
        "requested_token_type": ACCESS_TOKEN,
        "audience": "demo",
        "scope": "demo:read",
    }
    headers = {
        "User-Agent": "Go-http-client/1.1",
        "Authorization": basic(quote_plus(CALLER), quote_plus(door.secret)),
        "Content-Type": FORM,
        "Accept-Encoding": "gzip",
    }
    answer = door.send(headers, sorted(pairs.items()))  # Go's url.Values are encoded by name

    assert 200 <= answer.status <= 299
    assert not answer.body.get("error")
    assert answer.body["access_token"]
    assert answer.body["token_type"]
    assert answer.body["issued_token_type"]
    assert 0 < answer.body["expires_in"] < 2**31
    assert door.opens(answer.body["access_token"])


@pytest.mark.parametrize("audience", ["demo", "{issuer}/demo/idp/api", "{issuer}/demo/idp/api/"])
def test_contextforge(door: Door, audience: str) -> None:
    """IBM/mcp-context-forge: mcpgateway/services/oauth_manager.py, `token_exchange`; `test_contextforge.py` runs it."""
    headers = {
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate, br, zstd",
        "Connection": "keep-alive",
        "User-Agent": "python-httpx/0.28.1",
        "Content-Type": FORM,
    }
    pairs = [
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", door.subject_token),
        ("subject_token_type", JWT),
        ("requested_token_type", ACCESS_TOKEN),
        ("client_id", CALLER),
        ("client_secret", door.secret),
        ("audience", audience.format(issuer=door.issuer)),
    ]
    answer = door.send(headers, pairs)

    assert 200 <= answer.status <= 299
    assert answer.body["token_type"].lower() == "bearer"
    assert int(answer.body["expires_in"]) > 0  # 0 or none: it keeps the token for a minute whatever we say
    assert door.opens(answer.body["access_token"])


@pytest.mark.parametrize("method", ["clientSecretBasic", "clientSecretPost"])
@pytest.mark.parametrize("target", ["audiences", "resources", "both", "neither"])
@pytest.mark.parametrize("requested", [None, ACCESS_TOKEN], ids=["no requested type", "access token requested"])
def test_agentgateway(door: Door, method: str, target: str, requested: str | None) -> None:
    """agentgateway/agentgateway: crates/agentgateway/src/http/auth/oauth/transport.rs, crates/agentgateway/src/http/oauth.rs."""
    headers = {"content-type": FORM, "accept": "application/json"}
    pairs = [
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", door.subject_token),
        ("subject_token_type", ACCESS_TOKEN),
    ]
    if requested:
        pairs.append(("requested_token_type", requested))
    if target in {"audiences", "both"}:
        pairs.append(("audience", "demo"))
    pairs.append(("scope", "demo:read"))
    if target in {"resources", "both"}:
        pairs.append(("resource", door.api))
    pairs.append(("tenant", "acme"))  # its `additionalParams`: any name, nothing that we know
    if method == "clientSecretBasic":
        headers["authorization"] = basic(quote_plus(CALLER, safe="*"), quote_plus(door.secret, safe="*"))
    else:
        pairs += [("client_id", CALLER), ("client_secret", door.secret)]
    answer = door.send(headers, pairs)

    assert 200 <= answer.status <= 299
    assert answer.body["token_type"].lower() == "bearer"
    assert requested is None or answer.body["issued_token_type"] == requested
    assert isinstance(answer.body["expires_in"], int)
    assert answer.body["expires_in"] >= 0
    assert answer.body["access_token"]
    assert door.opens(answer.body["access_token"])


@pytest.mark.parametrize("style", ["in header", "in params"])
def test_golang_oauth2(door: Door, style: str) -> None:
    """golang/oauth2: internal/token.go, and clientcredentials/clientcredentials.go, whose grant type can be overridden."""
    pairs = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": door.subject_token,
        "subject_token_type": ACCESS_TOKEN,
        "audience": "demo",
    }
    headers = {"User-Agent": "Go-http-client/1.1", "Content-Type": FORM, "Accept-Encoding": "gzip"}
    if style == "in header":
        headers["Authorization"] = basic(quote_plus(CALLER), quote_plus(door.secret))
    else:
        pairs |= {"client_id": CALLER, "client_secret": door.secret}
    answer = door.send(headers, sorted(pairs.items()))

    assert 200 <= answer.status <= 299
    assert answer.content_type.partition(";")[0] not in {FORM, "text/plain"}  # it would read a query string
    assert not answer.body.get("error")
    assert answer.body["access_token"]
    assert answer.body["expires_in"] > 0  # 0 would be a token that never expires
    assert door.opens(answer.body["access_token"])


@pytest.mark.parametrize("method", ["basic", "post"])
def test_oauth4webapi(door: Door, method: str) -> None:
    """panva/oauth4webapi: src/index.ts, `genericTokenEndpointRequest` and `processGenericAccessTokenResponse`."""
    headers = {"user-agent": "oauth4webapi/v3.8.7", "accept": "application/json"}
    pairs = [
        ("subject_token", door.subject_token),
        ("subject_token_type", ACCESS_TOKEN),
        ("resource", door.api),
        ("scope", ""),
        ("grant_type", TOKEN_EXCHANGE),
    ]
    if method == "basic":
        headers["authorization"] = basic(form_encoded(CALLER), form_encoded(door.secret))
    else:
        pairs += [("client_id", CALLER), ("client_secret", door.secret)]
    headers["content-type"] = f"{FORM};charset=UTF-8"
    answer = door.send(headers, pairs)

    assert answer.status == 200
    assert answer.content_type.partition(";")[0] == "application/json"
    assert isinstance(answer.body["access_token"], str)
    assert answer.body["token_type"].lower() == "bearer"
    assert isinstance(answer.body["expires_in"], int)
    assert answer.body["expires_in"] >= 0
    assert isinstance(answer.body.get("scope", ""), str)
    assert "refresh_token" not in answer.body
    assert "id_token" not in answer.body  # it would insist on checking it
    assert door.opens(answer.body["access_token"])


@pytest.mark.parametrize("method", ["basic", "post"])
@pytest.mark.parametrize("content_type", [FORM, f"{FORM};charset=UTF-8"])
def test_spring_security(door: Door, method: str, content_type: str) -> None:
    """spring-projects/spring-security, oauth2-client: TokenExchangeGrantRequest, DefaultOAuth2TokenRequestHeadersConverter."""
    headers = {"Accept": "application/json", "Content-Type": content_type}
    pairs = [("grant_type", TOKEN_EXCHANGE)]
    if method == "basic":
        headers["Authorization"] = basic(quote_plus(CALLER), quote_plus(door.secret))
    else:
        pairs += [("client_id", CALLER), ("client_secret", door.secret)]
    pairs += [
        ("scope", "demo:read"),
        ("requested_token_type", ACCESS_TOKEN),
        ("subject_token", door.subject_token),
        ("subject_token_type", JWT),  # what it makes of a subject token that is a `Jwt`
    ]
    answer = door.send(headers, pairs)

    assert answer.status == 200
    assert answer.body["token_type"].lower() == "bearer"
    assert "demo:read" in answer.body["scope"].split(" ")
    assert answer.body["expires_in"] > 0  # none or 0: expired a second after it came
    assert door.opens(answer.body["access_token"])


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib(door: Door, method: str) -> None:
    """authlib/authlib: authlib/oauth2/auth.py (Basic without percent-encoding) and authlib/oauth2/client.py."""
    headers = {
        "User-Agent": "Authlib/1.7",
        "Accept-Encoding": "gzip, deflate",
        "Accept": "application/json",
        "Connection": "keep-alive",
        "Content-Type": f"{FORM};charset=UTF-8",
    }
    pairs = [
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", door.subject_token),
        ("subject_token_type", ACCESS_TOKEN),
        ("audience", "demo"),
    ]
    if method == "client_secret_basic":
        headers["Authorization"] = basic(CALLER, door.secret)
    else:
        pairs += [("client_id", CALLER), ("client_secret", door.secret)]
    answer = door.send(headers, pairs, encode=lambda given: urlencode(given, quote_via=quote))

    assert answer.status < 500
    assert "error" not in answer.body
    assert isinstance(answer.body["expires_in"], int)
    assert door.opens(answer.body["access_token"])


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [({"audience": "nobody"}, 400, "invalid_target"), ({"subject_token": "e30.e30.e30"}, 400, "invalid_request"),
     ({"client_secret": "wrong"}, 401, "invalid_client"), ({"scope": "demo:write"}, 400, "invalid_grant")],
)  # fmt: skip
def test_every_refusal_is_one_that_they_can_read(door: Door, changed: dict[str, str], status: int, error: str) -> None:
    """oauth4webapi `parseOAuthResponseErrorBody`, golang/oauth2 `RetrieveError`, authlib `parse_response_token`."""
    pairs = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": door.subject_token,
        "subject_token_type": ACCESS_TOKEN,
        "client_id": CALLER,
        "client_secret": door.secret,
        **changed,
    }
    answer = door.send({"Content-Type": FORM}, list(pairs.items()))

    assert (answer.status, answer.body["error"]) == (status, error)
    assert answer.content_type == "application/json"
    assert isinstance(answer.body["error_description"], str)
    assert "access_token" not in answer.body
    if error == "invalid_grant":
        assert answer.body["state"] == "missing_scope"
        assert answer.body["connect_url"].startswith(f"{door.issuer}/oauth/connect/")
