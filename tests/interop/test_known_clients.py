"""The clients that people connect with, each in its own shape (`shapes.py`), from its first request to its last."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastmcp import Client
from fastmcp.client.auth import BearerAuth

from tests.harness import oauth
from tests.harness.oauth import Flow, OAuthClient
from tests.harness.person import Person, parameters
from tests.interop import example
from tests.interop.conftest import AT_ROOT, Deployment
from tests.interop.shapes import ON_LOOPBACK, SHAPES, Shape

pytestmark = pytest.mark.interop

MCP_VERSION = {"MCP-Protocol-Version": "2025-11-25"}
PORT, ANOTHER_PORT = 49152, 61000  # nobody listens there: the callback's address is all that a test needs


def shapes(table: dict[str, Shape]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("shape", table.values(), ids=table)


def discover(deployment: Deployment, shape: Shape) -> dict[str, Any]:
    """From the MCP server's refusal to our metadata (RFC 9728 s5.1, RFC 8414 s3)."""
    refusal = httpx.request(shape.knocks, deployment.mcp.url, headers={"Accept": "application/json, text/event-stream"})
    assert refusal.status_code == 401
    [address] = re.findall(r'resource_metadata="([^"]+)"', refusal.headers["WWW-Authenticate"])
    resource = oauth.taken(httpx.get(address, headers=MCP_VERSION))
    assert resource["resource"] == deployment.mcp.url
    [issuer] = resource["authorization_servers"]
    metadata = oauth.taken(httpx.get(f"{issuer}/.well-known/{shape.reads}", headers=MCP_VERSION))
    assert metadata["issuer"] == issuer
    return metadata


def register(metadata: dict[str, Any], shape: Shape, port: int) -> tuple[OAuthClient, dict[str, Any]]:
    """The client and its answer; what that must hold for the strictest of these clients to read it is checked."""
    sent = shape.metadata(port)
    answer = oauth.taken(httpx.post(metadata["registration_endpoint"], json=sent))
    assert None not in answer.values(), "the TypeScript SDK refuses nulls"
    assert answer["redirect_uris"] == sent["redirect_uris"], "rmcp needs them"
    assert answer["grant_types"] == ["authorization_code", "refresh_token"]
    assert answer["token_endpoint_auth_method"] == shape.method
    secret = answer.get("client_secret")
    assert (secret is not None) == ("client_secret_expires_at" in answer) == (shape.method != "none")
    return OAuthClient(metadata["issuer"], answer["client_id"], shape.redirects(port), secret, shape.method), answer


def arrive(deployment: Deployment, shape: Shape, port: int = PORT) -> OAuthClient:
    """One that has found us and registered."""
    known, _answer = register(discover(deployment, shape), shape, port)
    return known


def begin(known: OAuthClient, shape: Shape, resource: str) -> Flow:
    state = {} if shape.state is None else {"state": shape.state}
    return known.begin(resource=resource, scope=shape.scope, **state, **shape.asks)


def refresh(known: OAuthClient, shape: Shape, tokens: dict[str, Any], resource: str) -> dict[str, Any]:
    repeated = {"resource": resource, "scope": tokens["scope"]}
    return known.refresh(tokens["refresh_token"], **{name: repeated[name] for name in shape.refreshes_with})


def whoami(deployment: Deployment, access_token: str) -> Any:
    """Who the person is at the provider; the MCP server exchanges the token for it."""

    async def call() -> Any:
        async with Client(deployment.mcp.url, auth=BearerAuth(access_token)) as client:
            return (await client.call_tool("whoami")).structured_content

    return asyncio.run(call())


@shapes(SHAPES)
def test_it_finds_us_registers_signs_in_refreshes_and_acts_as_the_person(deployment: Deployment, shape: Shape) -> None:
    resource, person = deployment.mcp.url, Person("Ada")
    known = arrive(deployment, shape)
    flow = begin(known, shape, resource)
    callback = person.authorize(flow.url)
    tokens = known.finish(flow, callback)
    refreshed = refresh(known, shape, tokens, resource)

    assert shape.registers["client_name"] in person.seen[0].text, "consent comes first"
    assert re.search(r"[?&]code=[\w.~-]+(?:&|$)", callback), "VS Code sends the code on as it stands in the address"
    assert example.SCOPE in tokens["scope"].split()
    assert refreshed["scope"] == tokens["scope"]
    assert None not in [*tokens.values(), *refreshed.values()]
    told = oauth.claims(refreshed["access_token"])
    assert (told["aud"], told["client_id"]) == (resource, known.client_id)
    assert whoami(deployment, refreshed["access_token"])["name"] == "Ada Lovelace"


@shapes({name: shape for name, shape in SHAPES.items() if shape.state is not None})
def test_its_own_kind_of_state_comes_back_byte_for_byte_with_a_refusal_too(
    deployment: Deployment, shape: Shape
) -> None:
    flow = begin(arrive(deployment, shape), shape, deployment.mcp.url)
    answer = parameters(Person(decision="deny").authorize(flow.url))
    assert (answer["error"], answer["state"]) == ("access_denied", shape.state)


@shapes(ON_LOOPBACK)
def test_it_comes_back_on_another_port_with_its_registration(deployment: Deployment, shape: Shape) -> None:
    """The port is whichever was free when it started (RFC 8252 s7.3)."""
    known = arrive(deployment, shape, PORT)
    for port in (PORT, ANOTHER_PORT):
        flow = begin(replace(known, redirect_uri=shape.redirects(port)), shape, deployment.mcp.url)
        callback = Person("Ada").authorize(flow.url)
        assert callback.startswith(f"{shape.redirects(port)}?")
        assert known.finish(flow, callback)["access_token"]


@pytest.mark.parametrize("name", ["Claude Code", "Claude.ai with a secret", "ChatGPT with Basic"])
def test_one_that_was_removed_hears_so_at_both_endpoints_and_registers_again(deployment: Deployment, name: str) -> None:
    """Claude and the SDKs take 401 `invalid_client` for it; a page in the browser is for the person, and FastMCP asks it."""
    shape = SHAPES[name]
    removed, answer = register(discover(deployment, shape), shape, PORT)
    flow = begin(removed, shape, deployment.mcp.url)
    tokens = removed.finish(flow, Person("Ada").authorize(flow.url))
    bearer = {"Authorization": f"Bearer {answer['registration_access_token']}"}
    assert httpx.delete(answer["registration_client_uri"], headers=bearer).status_code == 204

    for refused in (
        removed.token({"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}),
        removed.redeem(begin(removed, shape, deployment.mcp.url), "a-code"),
    ):
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
        assert ("WWW-Authenticate" in refused.headers) == (shape.method == "client_secret_basic")
    page = httpx.get(begin(removed, shape, deployment.mcp.url).url)
    assert (page.status_code, page.headers["Content-Type"].split(";")[0]) == (400, "text/html")
    assert "Location" not in page.headers
    assert removed.redirect_uri not in page.text

    again = arrive(deployment, shape)
    flow = begin(again, shape, deployment.mcp.url)
    assert again.finish(flow, Person("Ada").authorize(flow.url))["access_token"]
    assert again.client_id != removed.client_id


@pytest.mark.parametrize(
    ("authorized", "redeemed"),
    [(AT_ROOT, AT_ROOT), (f"{AT_ROOT}/", AT_ROOT), (AT_ROOT, f"{AT_ROOT}/"), ("HTTPS://MCP.Example.com:443/", AT_ROOT)],
)
def test_a_resource_at_the_root_of_its_host_is_one_with_or_without_its_slash(
    deployment: Deployment, authorized: str, redeemed: str
) -> None:
    """claude.ai and everything else that parses the address adds the slash, others strip it; `aud` is as registered."""
    shape = SHAPES["Claude.ai with a secret"]
    known = arrive(deployment, shape)
    flow = begin(known, shape, authorized)
    code = known.code(flow, Person("Ada").authorize(flow.url))
    tokens = oauth.taken(known.redeem(flow, code, resource=redeemed))
    tokens = refresh(known, shape, tokens, redeemed)

    assert oauth.claims(tokens["access_token"])["aud"] == AT_ROOT
    traded = oauth.exchange(
        known.issuer, tokens["access_token"], server=example.SERVER_ID, secret=deployment.secret, audience="demo"
    )
    assert oauth.taken(traded)["access_token"]


@pytest.mark.parametrize("scope", ["mcp:tools ", " mcp:tools offline_access", " offline_access"])
def test_spare_spaces_of_claude_ai_in_its_scope_are_no_scope(deployment: Deployment, scope: str) -> None:
    shape = SHAPES["Claude.ai with a secret"]
    known = arrive(deployment, shape)
    flow = known.begin(resource=deployment.mcp.url, scope=scope, prompt="consent")
    tokens = known.finish(flow, Person("Ada").authorize(flow.url))
    assert tokens["scope"] == scope.strip()
    assert tokens["refresh_token"]


INSPECTOR = {"Origin": "http://localhost:6274"}


def is_readable(answer: httpx.Response) -> bool:
    """Whether a browser lets the page of another origin see it; it would send no cookie (Fetch s3.3)."""
    return (
        answer.headers.get("Access-Control-Allow-Origin") in {"*", INSPECTOR["Origin"]}
        and "Access-Control-Allow-Credentials" not in answer.headers
    )


def lowered(answer: httpx.Response, header: str) -> set[str]:
    return {one.strip().lower() for one in answer.headers.get(header, "").split(",")}


@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        ("/.well-known/oauth-authorization-server", "GET", {"mcp-protocol-version"}),
        ("/.well-known/openid-configuration", "GET", {"mcp-protocol-version"}),
        ("/oauth/register", "POST", {"content-type"}),
        ("/oauth/token", "POST", {"authorization", "content-type", "mcp-protocol-version"}),
    ],
)
def test_a_preflight_of_the_inspector_lets_its_page_go_on(
    deployment: Deployment, path: str, method: str, headers: set[str]
) -> None:
    asks = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": ",".join(sorted(headers))}
    answer = httpx.options(deployment.authserver.issuer + path, headers=INSPECTOR | asks)

    assert answer.is_success
    assert is_readable(answer)
    assert method.lower() in lowered(answer, "Access-Control-Allow-Methods")
    assert headers <= lowered(answer, "Access-Control-Allow-Headers"), "`*` would not cover Authorization"


def test_the_inspectors_page_may_read_every_answer_and_every_refusal(deployment: Deployment) -> None:
    issuer, shape = deployment.authserver.issuer, SHAPES["MCP Inspector"]
    with httpx.Client(base_url=issuer, headers=INSPECTOR) as page:
        found = page.get("/.well-known/oauth-authorization-server", headers=MCP_VERSION)
        registered = page.post("/oauth/register", json=shape.metadata(PORT))
        known = OAuthClient(issuer, registered.json()["client_id"], shape.redirect_uri)
        flow = begin(known, shape, deployment.mcp.url)
        form = {
            "grant_type": "authorization_code",
            "client_id": known.client_id,
            "code": known.code(flow, Person("Ada").authorize(flow.url)),
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
            "resource": deployment.mcp.url,
        }
        redeemed = page.post("/oauth/token", data=form)
        refused = [
            page.post("/oauth/register", json={"redirect_uris": ["http://mcp.example.com/callback"]}),
            page.post("/oauth/token", data=form | {"code": "a-code"}),
            page.post("/oauth/token", data=form | {"client_id": "gone"}),
        ]

    assert [one.status_code for one in (found, registered, redeemed)] == [200, 201, 200]
    assert [one.status_code for one in refused] == [400, 400, 401]
    for answer in (found, registered, redeemed, *refused):
        assert is_readable(answer), answer.request.url
