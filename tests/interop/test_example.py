"""`examples/fastmcp_server` by itself: whom it lets in, and what it says when Authserver refuses an exchange."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastmcp import Client
from fastmcp.client.auth import BearerAuth

from tests.harness import processes
from tests.interop import example, pretend_issuer
from tests.interop.example import Example
from tests.interop.pretend_issuer import UPSTREAM_TOKEN, PretendIssuer

pytestmark = pytest.mark.interop

GRANTED = {
    "access_token": UPSTREAM_TOKEN,
    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    "token_type": "Bearer",
    "expires_in": 60,
}
CONNECT_URL = "https://auth.example.com/account/connect/github"


@pytest.fixture(scope="module")
def issuer() -> Iterator[PretendIssuer]:
    with pretend_issuer.running() as running:
        yield running


@pytest.fixture(scope="module")
def mcp_server(issuer: PretendIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    with example.running(
        tmp_path_factory.mktemp("example"),
        issuer=issuer.url,
        secret="it's a secret: 100%",
        port=processes.free_port(),
        UPSTREAM_API_URL=f"{issuer.url}/api/me",
    ) as running:
        yield running


def whoami(server: Example, token: str) -> tuple[bool, Any, str]:
    """Whether the call failed, what it gave, and what it said."""

    async def call() -> tuple[bool, Any, str]:
        async with Client(server.url, auth=BearerAuth(token)) as client:
            result = await client.call_tool("whoami", raise_on_error=False)
            return (
                result.is_error,
                result.structured_content,
                " ".join(getattr(one, "text", "") for one in result.content),
            )

    return asyncio.run(call())


def knock(server: Example, token: str | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.post(server.url, json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers)


def test_the_tool_answers_with_the_identity_that_the_upstream_knows(mcp_server: Example, issuer: PretendIssuer) -> None:
    issuer.asked.clear()
    issuer.answers(200, GRANTED)
    token = issuer.token(mcp_server.url)

    failed, identity, _ = whoami(mcp_server, token)

    assert (failed, identity) == (False, {"sub": "upstream-7", "name": "Ada Lovelace"})
    assert issuer.asked == [
        {
            "path": "/oauth/token",
            "scheme": "Basic",
            "caller": f"{example.SERVER_ID}:it's a secret: 100%",
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": token,
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }
    ]


def test_a_stranger_is_told_where_to_sign_in(mcp_server: Example, issuer: PretendIssuer) -> None:
    challenge = knock(mcp_server, None)
    assert challenge.status_code == 401
    origin = mcp_server.url.removesuffix("/mcp")
    metadata_url = f"{origin}/.well-known/oauth-protected-resource/mcp"
    assert challenge.headers["www-authenticate"] == f'Bearer scope="mcp:tools", resource_metadata="{metadata_url}"'

    metadata = httpx.get(metadata_url).json()
    assert metadata["resource"] == mcp_server.url
    assert metadata["authorization_servers"] == [issuer.url], "a slash more and clients refuse the issuer"
    assert metadata["scopes_supported"] == ["mcp:tools"]


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "AT+JWT"])
def test_an_access_token_opens(mcp_server: Example, issuer: PretendIssuer, typ: str) -> None:
    issuer.answers(200, GRANTED)
    assert whoami(mcp_server, issuer.token(mcp_server.url, typ=typ))[0] is False


@pytest.mark.parametrize(
    "flaw",
    [
        {"aud": "http://localhost:9999/mcp"},
        {"aud": None},
        {"iss": "https://elsewhere.example.com"},
        {"iss": None},
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"scope": "openid"},
        {"typ": "JWT"},
        {"key": ec.generate_private_key(ec.SECP256R1())},
    ],
    ids=lambda flaw: next(iter(flaw)),
)
def test_any_other_token_does_not(mcp_server: Example, issuer: PretendIssuer, flaw: dict[str, Any]) -> None:
    answer = knock(mcp_server, issuer.token(mcp_server.url, **flaw))
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("not_connected", f"not connected yet. Open {CONNECT_URL} "),
        ("needs_reauthorization", f"connected again. Open {CONNECT_URL},"),
        ("missing_scope", f"(repo, read:org). Open {CONNECT_URL},"),
    ],
)
def test_a_person_who_has_to_connect_is_told_where(
    mcp_server: Example, issuer: PretendIssuer, state: str, says: str
) -> None:
    body = {
        "error": "invalid_grant",
        "state": state,
        "connect_url": CONNECT_URL,
        "missing_scopes": ["repo", "read:org"],
    }
    issuer.answers(400, body)
    failed, _, text = whoami(mcp_server, issuer.token(mcp_server.url))
    assert failed
    assert says in text


def test_a_provider_that_does_not_answer_is_tried_again_later(mcp_server: Example, issuer: PretendIssuer) -> None:
    body = {"error": "temporarily_unavailable", "state": "temporarily_unavailable"}
    issuer.answers(503, body, **{"Retry-After": "17"})
    assert "Try again in 17 seconds" in whoami(mcp_server, issuer.token(mcp_server.url))[2]


def test_a_session_that_has_ended_is_said_to_have_ended(mcp_server: Example, issuer: PretendIssuer) -> None:
    issuer.answers(400, {"error": "invalid_request", "error_description": "not a live access token"})
    assert "Your sign-in has ended" in whoami(mcp_server, issuer.token(mcp_server.url))[2]


def test_a_wrong_secret_is_the_operators_business(mcp_server: Example, issuer: PretendIssuer) -> None:
    issuer.answers(401, {"error": "invalid_client", "error_description": "who are you?"})
    token = issuer.token(mcp_server.url)
    assert "Its operator finds the reason in its log" in whoami(mcp_server, token)[2]
    assert "Token exchange refused: 401 invalid_client who are you?" in mcp_server.log
    assert token not in mcp_server.log


@pytest.mark.parametrize("body", [b"<h1>Bad gateway</h1>", b"[]", b"7", b'"no"'])
def test_an_answer_that_is_no_oauth_error_is_survived(mcp_server: Example, issuer: PretendIssuer, body: bytes) -> None:
    issuer.exchange = (502, body, {})
    assert "Its operator finds the reason in its log" in whoami(mcp_server, issuer.token(mcp_server.url))[2]


def test_what_the_upstream_refuses_is_said_without_its_words(mcp_server: Example, issuer: PretendIssuer) -> None:
    issuer.answers(200, GRANTED | {"access_token": "another-token"})
    failed, _, text = whoami(mcp_server, issuer.token(mcp_server.url))
    assert (failed, text) == (True, "The upstream API answered 401.")


def test_tokens_stay_out_of_the_log(mcp_server: Example, issuer: PretendIssuer) -> None:
    issuer.answers(200, GRANTED)
    token = issuer.token(mcp_server.url)
    whoami(mcp_server, token)
    assert token not in mcp_server.log
    assert UPSTREAM_TOKEN not in mcp_server.log
