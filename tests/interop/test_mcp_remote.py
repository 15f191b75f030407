"""`mcp-remote`, the bridge for hosts that speak to child processes only: we are such a host, and the person at its browser.

It keeps what it has in a directory, so that its next start needs nobody; one that finds its token refused refreshes, and
one that finds its registration gone registers again.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.harness import oauth, processes
from tests.harness.person import Person, parameters
from tests.interop import npm
from tests.interop.conftest import Deployment
from tests.interop.npm import Packages

pytestmark = pytest.mark.interop

PINS = Path(__file__).parent / "mcp_remote"
ENTRY = "mcp-remote/dist/proxy.js"
PATIENCE_SECONDS = 60.0
STOP_SECONDS = 10.0
HANDSHAKE = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "host", "version": "1"}}


@dataclass
class Bridge:
    """A running `mcp-remote`: JSON-RPC on its standard input and output. `visited` is where it sent the person."""

    process: subprocess.Popen[str]
    person: Person
    visited: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    news: queue.Queue[str] = field(default_factory=queue.Queue)  # lines of standard output, addresses, "" at the end

    def start(self) -> None:
        for read in (self._read_answers, self._read_log):
            threading.Thread(target=read, daemon=True).start()

    def _read_answers(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.news.put(line)
        self.news.put("")

    def _read_log(self) -> None:
        """The address to visit has a line of its own, for people whose browser does not open."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if line.startswith("http"):
                self.news.put(line.strip())

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def ask(self, method: str, **params: Any) -> Any:
        """The result of a request; whenever the person is sent somewhere meanwhile, they go, and on to the callback."""
        self.send({"id": method, "method": method, "params": params})
        while news := self.news.get(timeout=PATIENCE_SECONDS):
            if news.startswith("http"):
                self.visited.append(news)
                self.person.return_to_client(news)
            elif (answer := json.loads(news)).get("id") == method:
                assert "result" in answer, answer
                return answer["result"]
        raise AssertionError("".join(self.log))

    def whoami(self) -> Any:
        """From the handshake to who the person is at the provider."""
        self.ask("initialize", **HANDSHAKE)
        self.send({"method": "notifications/initialized"})
        assert [tool["name"] for tool in self.ask("tools/list")["tools"]] == ["whoami"]
        result = self.ask("tools/call", name="whoami", arguments={})
        assert not result.get("isError"), result
        return result["structuredContent"]["name"]


@dataclass(frozen=True)
class Desktop:
    """Where `mcp-remote` is started again and again for the MCP server at `url`; what it keeps is under `home`.

    Always with the same port for the callback: with another it drops its registration, whatever the server would allow.
    """

    packages: Packages
    home: Path
    url: str
    port: int = field(default_factory=processes.free_port)

    @contextmanager
    def bridge(self, *options: str) -> Iterator[Bridge]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "MCP_REMOTE_CONFIG_DIR": str(self.home),
            "BROWSER": "true",  # a program that does nothing: the person takes the address from the log
        }
        with subprocess.Popen(
            self.packages.command(ENTRY, self.url, str(self.port), *options),
            env=environment,
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=processes.die_with_parent,
        ) as process:
            bridge = Bridge(process, Person("Ada"))
            bridge.start()
            try:
                yield bridge
            finally:
                process.terminate()
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()

    def kept(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._file(name).read_text())
        return content

    def change(self, name: str, **members: str) -> None:
        self._file(name).write_text(json.dumps(self.kept(name) | members))

    def _file(self, name: str) -> Path:
        """The server's address is hashed into its name, the version into its directory's."""
        [file] = self.home.rglob(f"*_{name}.json")
        return file


@pytest.fixture(scope="module")
def packages() -> Packages:
    return npm.installed(PINS)


@pytest.fixture
def desktop(packages: Packages, deployment: Deployment, tmp_path: Path) -> Desktop:
    return Desktop(packages, tmp_path, deployment.mcp.url)


def test_a_host_behind_mcp_remote_calls_a_tool_as_the_person(deployment: Deployment, desktop: Desktop) -> None:
    with desktop.bridge() as bridge:
        assert bridge.whoami() == "Ada Lovelace"

    [address] = bridge.visited
    assert parameters(address)["resource"] == deployment.mcp.url
    registered, tokens = desktop.kept("client_info"), desktop.kept("tokens")
    assert registered["client_name"] == "MCP CLI Proxy"
    assert registered["token_endpoint_auth_method"] == "none"
    assert registered["software_id"], "metadata that we do not use comes back as it was sent"
    assert oauth.claims(tokens["access_token"])["client_id"] == registered["client_id"]


def test_its_next_start_asks_nobody_and_refreshes_what_is_refused(desktop: Desktop) -> None:
    with desktop.bridge() as bridge:
        bridge.whoami()
    before = desktop.kept("tokens")
    desktop.change("tokens", access_token="gone")

    with desktop.bridge() as again:
        assert again.whoami() == "Ada Lovelace"

    after = desktop.kept("tokens")
    assert not again.visited
    assert after["refresh_token"] != before["refresh_token"]
    assert oauth.claims(after["access_token"])["tsid"] == oauth.claims(before["access_token"])["tsid"]


def test_its_next_start_signs_in_with_the_registration_of_the_first_where_no_token_is_left(desktop: Desktop) -> None:
    with desktop.bridge() as bridge:
        bridge.whoami()
    desktop.change("tokens", access_token="gone", refresh_token="gone")

    with desktop.bridge() as again:
        assert again.whoami() == "Ada Lovelace"

    [first], [second] = bridge.visited, again.visited
    assert parameters(first)["client_id"] == parameters(second)["client_id"] == desktop.kept("client_info")["client_id"]


def test_its_next_start_registers_again_where_its_registration_is_gone(desktop: Desktop) -> None:
    with desktop.bridge() as bridge:
        bridge.whoami()
    desktop.change("client_info", client_id="gone")
    desktop.change("tokens", access_token="gone")

    with desktop.bridge() as again:
        assert again.whoami() == "Ada Lovelace"

    assert len(again.visited) == 1
    assert desktop.kept("client_info")["client_id"] not in {"gone", parameters(bridge.visited[0])["client_id"]}


def test_the_scope_that_its_user_sets_is_granted(desktop: Desktop) -> None:
    scope = "mcp:tools openid offline_access"
    with desktop.bridge("--static-oauth-client-metadata", json.dumps({"scope": scope})) as bridge:
        assert bridge.whoami() == "Ada Lovelace"

    assert parameters(bridge.visited[0])["scope"] == scope
    assert set(desktop.kept("tokens")["scope"].split()) == set(scope.split())
