"""The official Python SDK (`mcp`) signs in, calls a tool, refreshes, and calls again; nothing is set up for it beforehand."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.harness import oauth
from tests.harness.person import Person, parameters
from tests.interop.conftest import Deployment

pytestmark = pytest.mark.interop

REDIRECT_URI = "http://127.0.0.1:7777/callback"
Method = Literal["none", "client_secret_post", "client_secret_basic"]


class Memory:
    """The SDK's token storage, in memory."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Denied(Exception):
    """What the client heard instead of a code."""


class Agent:
    """An MCP client on the SDK, and the person in front of it. `wire` is every request it made, with the status it got."""

    def __init__(self, deployment: Deployment, person: Person, method: Method | None = None) -> None:
        self.deployment = deployment
        self.person = person
        self.memory = Memory()
        self.wire: list[str] = []
        self.callbacks: list[str] = []
        self.provider = OAuthClientProvider(
            server_url=deployment.mcp.url,
            client_metadata=OAuthClientMetadata(
                client_name="SDK agent",
                redirect_uris=[AnyUrl(REDIRECT_URI)],
                token_endpoint_auth_method=method,
            ),
            storage=self.memory,
            redirect_handler=self._send_person,
            callback_handler=self._await_callback,
        )

    async def _send_person(self, authorization_url: str) -> None:
        self.callbacks.append(await asyncio.to_thread(self.person.authorize, authorization_url))

    async def _await_callback(self) -> AuthorizationCodeResult:
        answer = parameters(self.callbacks[-1])
        if "error" in answer:
            raise Denied(answer["error"])
        return AuthorizationCodeResult(code=answer["code"], state=answer["state"], iss=answer["iss"])

    async def _note(self, response: httpx2.Response) -> None:
        self.wire.append(f"{response.request.method} {response.request.url.path} {response.status_code}")

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Client]:
        async with (
            httpx2.AsyncClient(auth=self.provider, timeout=30, event_hooks={"response": [self._note]}) as http,
            Client(streamable_http_client(self.deployment.mcp.url, http_client=http)) as client,
        ):
            yield client

    @property
    def tokens(self) -> OAuthToken:
        assert self.memory.tokens is not None
        return self.memory.tokens

    def let_the_access_token_expire(self) -> None:
        self.provider.context.token_expiry_time = time.time() - 1


async def whoami(client: Client) -> Any:
    """Who the upstream says it is; without the seconds its token still lives, which pass between two calls."""
    result = await client.call_tool("whoami")
    assert not result.is_error, result.content
    return {name: value for name, value in result.structured_content.items() if name != "token_expires_in"}


@pytest.fixture
def provider_restored(deployment: Deployment) -> Iterator[None]:
    yield
    deployment.turn()


def raises_in_a_task(error: type[Exception], match: str) -> pytest.RaisesGroup[Exception]:
    """The SDK's transport runs in task groups, and each wraps what escapes from it."""
    return pytest.RaisesGroup(pytest.RaisesExc(error, match=match), flatten_subgroups=True)


@pytest.mark.parametrize("method", [None, "none", "client_secret_post", "client_secret_basic"])
def test_the_sdk_signs_in_calls_a_tool_refreshes_and_calls_again(deployment: Deployment, method: Method | None) -> None:
    agent = Agent(deployment, Person("Ada"), method)

    async def session() -> tuple[Any, OAuthToken, Any, OAuthToken]:
        async with agent.connected() as client:
            first, before = await whoami(client), agent.tokens
            agent.let_the_access_token_expire()
            second, after = await whoami(client), agent.tokens
            return first, before, second, after

    first, before, second, after = asyncio.run(session())

    assert first["name"] == "Ada Lovelace"
    assert second == first
    assert agent.memory.client is not None
    assert agent.memory.client.token_endpoint_auth_method == (method or "none")
    assert (agent.memory.client.client_secret is None) == (method in {None, "none"})
    assert len(agent.callbacks) == 1, "the refresh asked nobody"
    assert before.access_token != after.access_token
    assert before.refresh_token != after.refresh_token
    told, retold = oauth.claims(before.access_token), oauth.claims(after.access_token)
    assert told["aud"] == deployment.mcp.url
    assert told["tsid"] == retold["tsid"]
    assert told["jti"] != retold["jti"]


def test_the_steps_come_in_the_order_of_the_specification(deployment: Deployment) -> None:
    agent = Agent(deployment, Person("Ada"))

    async def session() -> None:
        async with agent.connected() as client:
            await whoami(client)

    asyncio.run(session())

    assert agent.wire[:6] == [
        "POST /mcp 401",
        "GET /.well-known/oauth-protected-resource/mcp 200",
        "GET /.well-known/oauth-authorization-server 200",
        "POST /oauth/register 201",
        "POST /oauth/token 200",
        "POST /mcp 200",
    ]


def test_two_people_each_get_their_own_identity(deployment: Deployment) -> None:
    async def name_of(person: Person) -> Any:
        async with Agent(deployment, person).connected() as client:
            return (await whoami(client))["name"]

    async def both() -> list[Any]:
        return [await name_of(Person("Ada")), await name_of(Person("Grace"))]

    assert asyncio.run(both()) == ["Ada Lovelace", "Grace Hopper"]


def test_a_person_who_denies_is_heard(deployment: Deployment) -> None:
    agent = Agent(deployment, Person(decision="deny"))

    async def session() -> None:
        async with agent.connected():
            raise AssertionError("connected without consent")

    with raises_in_a_task(Denied, "access_denied"):
        asyncio.run(session())
    assert parameters(agent.callbacks[0])["iss"] == deployment.authserver.issuer


def test_an_answer_of_another_issuer_is_refused_by_the_sdk(deployment: Deployment) -> None:
    """We announce `iss`, so the SDK insists on it (RFC 9207 s2.4)."""
    agent = Agent(deployment, Person("Ada"))

    async def without_iss() -> AuthorizationCodeResult:
        answer = parameters(agent.callbacks[-1])
        return AuthorizationCodeResult(code=answer["code"], state=answer["state"])

    agent.provider.context.callback_handler = without_iss

    async def session() -> None:
        async with agent.connected():
            raise AssertionError("connected")

    with raises_in_a_task(OAuthFlowError, "missing iss"):
        asyncio.run(session())


def test_a_revoked_refresh_token_leads_back_to_the_person_and_not_into_a_loop(deployment: Deployment) -> None:
    agent = Agent(deployment, Person("Ada"))

    async def session() -> Any:
        async with agent.connected() as client:
            await whoami(client)
            agent.tokens.refresh_token = "gone"
            agent.let_the_access_token_expire()
            return await whoami(client)

    assert asyncio.run(session())["name"] == "Ada Lovelace"
    assert len(agent.callbacks) == 2
    assert agent.wire.count("POST /oauth/token 400") == 1
    assert agent.wire.count("POST /oauth/register 201") == 1


async def complaint(client: Client) -> str:
    """What the tool says when it fails."""
    result = await client.call_tool("whoami")
    assert result.is_error, result.structured_content
    return " ".join(getattr(one, "text", "") for one in result.content)


def test_a_person_whose_upstream_grant_is_gone_is_told_where_to_connect_and_goes_on(
    deployment: Deployment, provider_restored: None
) -> None:
    agent = Agent(deployment, Person("Ada"))
    expired: dict[str, object] = {"answer": {"expires_in": 0}}

    async def session() -> tuple[str, str, Any]:
        deployment.turn(token=expired, refresh=expired)
        async with agent.connected() as client:
            await whoami(client)
            deployment.turn(refresh={"error": {"error": "invalid_grant"}, "times": 1})
            first, again = await complaint(client), await complaint(client)
            url = re.findall(r"Open (\S+?),? ", again)[0]
            page = await asyncio.to_thread(agent.person.visit, url)
            assert "is connected" in page.text
            return first, again, await whoami(client)

    first, again, identity = asyncio.run(session())
    assert "Your account has to be connected again" in first
    assert "Your account has to be connected again" in again, "a dead grant stays dead"
    assert identity["name"] == "Ada Lovelace"
    assert len(agent.callbacks) == 1, "the client itself never had to sign in again"


def test_a_provider_that_fails_for_a_while_costs_nobody_their_connection(
    deployment: Deployment, provider_restored: None
) -> None:
    """Its tokens live for a minute here, but it calls them expired at once: there is nothing left to make do with."""
    agent = Agent(deployment, Person("Ada"))
    expired: dict[str, object] = {"answer": {"expires_in": 0}}

    async def session() -> tuple[str, Any]:
        deployment.turn(token=expired, refresh=expired)
        async with agent.connected() as client:
            await whoami(client)
            deployment.turn(refresh={"status": 503})
            said = await complaint(client)
            deployment.turn()
            return said, await whoami(client)

    said, identity = asyncio.run(session())
    assert "The provider does not answer. Try again in " in said
    assert identity["name"] == "Ada Lovelace"
