"""The MCP project's own conformance runner, `authorization` mode, against a running server."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.harness import processes
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person
from tests.harness.server import Server
from tests.interop import npm
from tests.interop.npm import Packages

pytestmark = pytest.mark.interop

PINS = Path(__file__).parent / "conformance"
ENTRY = "@modelcontextprotocol/conformance/dist/index.js"
PATIENCE_SECONDS = 60.0
AUTHORIZATION_URL = re.compile(r"^https?://\S+[?&]response_type=code\S*$", re.MULTILINE)


@pytest.fixture(scope="module")
def conformance() -> Packages:
    return npm.installed(PINS)


def run(conformance: Packages, server: Server, directory: Path, *arguments: str) -> tuple[list[dict[str, Any]], str]:
    """The runner's checks and its whole output; a person walks to wherever it asks somebody to go."""
    command = conformance.command(
        ENTRY, "authorization", "--url", server.issuer, "--output-dir", str(directory), *arguments
    )
    output = ""
    with subprocess.Popen(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        watchdog = threading.Timer(PATIENCE_SECONDS, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                output += line
                if match := AUTHORIZATION_URL.match(line.strip()):
                    Person("Ada").return_to_client(match.group())
            process.wait()
        finally:
            watchdog.cancel()
            process.kill()  # it waits for its callback even where we gave up
    checks = [check for file in sorted(directory.rglob("checks.json")) for check in json.loads(file.read_text())]
    return checks, output


@pytest.mark.parametrize("resource", [None, "/demo/mcp"], ids=["without resource", "with resource"])
def test_every_check_of_the_authorization_mode_succeeds(
    conformance: Packages, demo_server: Server, tmp_path: Path, resource: str | None
) -> None:
    """With a public client: where metadata offers `none`, the runner never sends a secret."""
    port = processes.free_port()
    client = OAuthClient.registered(demo_server.issuer, f"http://127.0.0.1:{port}/callback", client_name="Conformance")
    arguments = ["--client-id", client.client_id, "--port", str(port)]
    if resource is not None:
        arguments += ["--resource", demo_server.issuer + resource]

    checks, output = run(conformance, demo_server, tmp_path, *arguments)

    assert {check["id"]: check["status"] for check in checks} == {
        "authorization-server-metadata": "SUCCESS",
        "authorization-server-metadata-cimd": "SUCCESS",
        "authorization-code-grant": "SUCCESS",
    }, output
