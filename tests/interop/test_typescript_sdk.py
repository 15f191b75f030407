"""The official TypeScript SDK signs in, calls a tool, loses something, and calls again: `typescript/agent.mjs` and a person.

It reads every answer against a schema that knows no null, sends Basic credentials unescaped, and registers again when a
client is unknown (401 `invalid_client`): most desktop clients are built on it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.harness import oauth, processes
from tests.harness.person import Person
from tests.interop import npm
from tests.interop.conftest import Deployment
from tests.interop.npm import Packages

pytestmark = pytest.mark.interop

PINS = Path(__file__).parent / "typescript"
PATIENCE_SECONDS = 60.0


@dataclass
class Told:
    """What the agent told, by event, in its order."""

    client: list[dict[str, Any]] = field(default_factory=list)
    authorize: list[str] = field(default_factory=list)
    tokens: list[dict[str, Any]] = field(default_factory=list)
    whoami: list[dict[str, Any]] = field(default_factory=list)
    complaint: list[Any] = field(default_factory=list)


@pytest.fixture(scope="module")
def sdk() -> Packages:
    return npm.installed(PINS)


@pytest.fixture
def agent(sdk: Packages, tmp_path: Path) -> list[str]:
    """The command line without its arguments. The script stands beside the SDK, where its imports are looked up."""
    shutil.copy(PINS / "agent.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(sdk.modules)
    return sdk.command(tmp_path / "agent.mjs")


def run(agent: list[str], deployment: Deployment, loses: str, person: Person, **metadata: Any) -> Told:
    """Run it to its end; `person` walks to wherever it asks somebody to go, and on to its callback."""
    told = Told()
    command = [*agent, deployment.mcp.url, json.dumps(metadata), loses]
    environment = {"PATH": os.environ["PATH"]}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, preexec_fn=processes.die_with_parent
    ) as process:
        watchdog = threading.Timer(PATIENCE_SECONDS, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                news = json.loads(line)
                getattr(told, news["event"]).append(news["content"])
                if news["event"] == "authorize":
                    person.return_to_client(news["content"])
            assert process.wait() == 0, told
        finally:
            watchdog.cancel()
            process.kill()
    assert not told.complaint, told.complaint
    return told


@pytest.mark.parametrize("method", [None, "none", "client_secret_post", "client_secret_basic"])
def test_the_sdk_signs_in_calls_a_tool_refreshes_and_calls_again(
    deployment: Deployment, agent: list[str], method: str | None
) -> None:
    asked = {} if method is None else {"token_endpoint_auth_method": method}
    told = run(agent, deployment, "access_token", Person("Ada"), **asked)

    assert [one["name"] for one in told.whoami] == ["Ada Lovelace", "Ada Lovelace"]
    assert len(told.authorize) == 1, "the refresh asked nobody"
    assert told.client[0].get("token_endpoint_auth_method") == (method or "none")
    assert ("client_secret" in told.client[0]) == (method not in {None, "none"})
    before, after = told.tokens
    assert before["refresh_token"] != after["refresh_token"]
    first, second = oauth.claims(before["access_token"]), oauth.claims(after["access_token"])
    assert first["aud"] == second["aud"] == deployment.mcp.url
    assert first["tsid"] == second["tsid"]
    assert first["jti"] != second["jti"]


def test_a_lost_refresh_token_leads_back_to_the_person_with_the_same_registration(
    deployment: Deployment, agent: list[str]
) -> None:
    told = run(agent, deployment, "refresh_token", Person("Ada"))

    assert len(told.whoami) == 2
    assert len(told.authorize) == 2
    assert len({one["client_id"] for one in told.client}) == 1


def test_a_registration_that_is_gone_is_made_again(deployment: Deployment, agent: list[str]) -> None:
    """The refresh is refused with 401 `invalid_client`, which is what the SDK drops everything for."""
    told = run(agent, deployment, "registration", Person("Ada"))

    assert len(told.whoami) == 2
    assert len(told.authorize) == 2
    assert len({one["client_id"] for one in told.client}) == 2


def test_two_people_each_get_their_own_identity(deployment: Deployment, agent: list[str]) -> None:
    names = [run(agent, deployment, "", Person(one)).whoami[0]["name"] for one in ("Ada", "Grace")]
    assert names == ["Ada Lovelace", "Grace Hopper"]
