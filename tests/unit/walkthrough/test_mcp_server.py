"""The demo MCP server, spoken to directly: who is let in, and what bad messages get."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.harness.oauth import OAuthClient
from tests.harness.person import Person
from tests.harness.server import Server


@pytest.fixture(scope="module")
def access_token(demo_server: Server) -> str:
    client = OAuthClient.registered(demo_server.issuer)
    flow = client.begin(resource=f"{demo_server.issuer}/demo/mcp", scope="mcp:tools")
    return str(client.finish(flow, Person().authorize(flow.url))["access_token"])


def post(server: Server, *, token: str | None, **message: Any) -> httpx.Response:
    headers = {b"Authorization": f"Bearer {token}".encode()} if token is not None else {}
    return httpx.post(f"{server.issuer}/demo/mcp", headers=headers, timeout=20, **message)


def rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def test_whoever_has_no_token_is_told_where_to_get_one(demo_server: Server) -> None:
    answer = post(demo_server, token=None, json=rpc("tools/list"))
    assert answer.status_code == 401
    pointer = answer.headers["WWW-Authenticate"].partition('resource_metadata="')[2].partition('"')[0]
    metadata = httpx.get(pointer).json()
    assert metadata["resource"] == f"{demo_server.issuer}/demo/mcp"
    assert metadata["authorization_servers"] == [demo_server.issuer]


def test_the_tool_acts_as_the_person(demo_server: Server, access_token: str) -> None:
    answer = post(demo_server, token=access_token, json=rpc("tools/call", name="whoami", arguments={}))
    assert answer.json()["result"]["structuredContent"]["email"] == "ada@example.com"


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "\xe9"])
def test_what_is_no_token_of_ours_is_refused(demo_server: Server, token: str) -> None:
    answer = post(demo_server, token=token, json=rpc("tools/list"))
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_token_for_another_resource_is_refused(demo_server: Server) -> None:
    client = OAuthClient.registered(demo_server.issuer)
    flow = client.begin(resource="http://localhost:9000/mcp")
    token = client.finish(flow, Person().authorize(flow.url))["access_token"]
    assert post(demo_server, token=token, json=rpc("tools/list")).status_code == 401


def test_a_token_without_the_scope_is_not_enough(demo_server: Server) -> None:
    client = OAuthClient.registered(demo_server.issuer)
    flow = client.begin(resource=f"{demo_server.issuer}/demo/mcp", scope="openid")
    token = client.finish(flow, Person().authorize(flow.url))["access_token"]
    answer = post(demo_server, token=token, json=rpc("tools/list"))
    assert answer.status_code == 403
    assert 'error="insufficient_scope", scope="mcp:tools"' in answer.headers["WWW-Authenticate"]


def test_an_id_token_is_no_access_token(demo_server: Server) -> None:
    client = OAuthClient.registered(demo_server.issuer)
    flow = client.begin(resource=f"{demo_server.issuer}/demo/mcp", scope="openid mcp:tools")
    tokens = client.finish(flow, Person().authorize(flow.url))
    assert post(demo_server, token=tokens["id_token"], json=rpc("tools/list")).status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, -32700),
        (b"\xff", 400, -32700),
        (b"[" * 30_000, 400, -32700),
        (b"[]", 400, -32600),
        (b'{"id": 1, "method": 2}', 400, -32600),
        (b'{"id": 1, "method": "tools/call", "params": []}', 200, -32602),
        (b'{"id": 1, "method": "resources/list"}', 200, -32601),
    ],
)
def test_a_bad_message_gets_a_json_rpc_error(
    demo_server: Server, access_token: str, body: bytes, status: int, code: int
) -> None:
    answer = post(demo_server, token=access_token, content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_notification_has_no_answer(demo_server: Server, access_token: str) -> None:
    answer = post(demo_server, token=access_token, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (answer.status_code, answer.content) == (202, b"")


def test_it_answers_nothing_but_post(demo_server: Server) -> None:
    answer = httpx.get(f"{demo_server.issuer}/demo/mcp")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
