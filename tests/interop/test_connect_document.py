"""`docs/connect-your-mcp-server.md`: the servers in it run, let the right token in, and say the same as the example."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastmcp import Client
from fastmcp.client.auth import BearerAuth

from tests.harness import processes
from tests.interop import npm, pretend_issuer
from tests.interop.pretend_issuer import UPSTREAM_TOKEN, PretendIssuer

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "connect-your-mcp-server.md"
TYPESCRIPT_PINS = Path(__file__).parent / "typescript"
EXAMPLE = ROOT / "examples" / "fastmcp_server"


@pytest.fixture(scope="module")
def issuer() -> Iterator[PretendIssuer]:
    with pretend_issuer.running() as running:
        running.answers(200, {"access_token": UPSTREAM_TOKEN, "token_type": "Bearer", "expires_in": 60})
        yield running


def code_of(section: str) -> str:
    [code] = re.findall(rf"^## {section}\n```\w+\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    return str(code)


def python(code: str, directory: Path) -> list[str]:
    script = directory / "server.py"
    script.write_text(code)
    return [sys.executable, str(script)]


def typescript(code: str, directory: Path) -> list[str]:
    """As it stands: no line of it is TypeScript only."""
    script = directory / "server.mjs"
    script.write_text(code)
    sdk = npm.installed(TYPESCRIPT_PINS)
    (directory / "node_modules").symlink_to(sdk.modules)
    return sdk.command(script)


def django(code: str, directory: Path) -> list[str]:
    """The section is a `urls.py`; a project has the rest of this."""
    (directory / "urls.py").write_text(code)
    (directory / "project.py").write_text("ALLOWED_HOSTS, ROOT_URLCONF, SECRET_KEY = ['localhost'], 'urls', 'a-key'\n")
    [port] = re.findall(r'RESOURCE = .*"http://localhost:(\d+)/mcp"', code)
    served = [f"127.0.0.1:{port}", "--noreload", "--skip-checks", "--settings=project", f"--pythonpath={directory}"]
    return [sys.executable, "-m", "django", "runserver", *served]


STARTED: dict[str, Callable[[str, Path], list[str]]] = {
    "FastMCP": python,
    "The official Python SDK": python,
    "The official TypeScript SDK": typescript,
    "Django": django,
}


@pytest.fixture(params=STARTED, ids=["fastmcp", "python", "typescript", "django"])
def server(request: pytest.FixtureRequest, issuer: PretendIssuer, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The section's heading and the URL of the server in it, its example addresses replaced by ones on this machine."""
    port = processes.free_port()
    code = code_of(request.param)
    for example, here in {
        "https://auth.example.com": issuer.url,
        "https://mcp.example.com": f"http://localhost:{port}",
        "https://api.github.com/user": f"{issuer.url}/api/me",
        "port=9000": f"port={port}",
        "listen(9000": f"listen({port}",
    }.items():
        code = code.replace(example, here)
    command, log_file = STARTED[request.param](code, tmp_path), tmp_path / "server.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, "EXAMPLE_MCP_SECRET": "a-secret"},
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            preexec_fn=processes.die_with_parent,
        )
    url = f"http://localhost:{port}/mcp"
    try:
        processes.until_it_answers(process, url, log_file)
        yield request.param, url
    finally:
        processes.stop(process)


def test_each_server_lets_its_own_tokens_in_and_no_others(server: tuple[str, str], issuer: PretendIssuer) -> None:
    section, url = server

    async def call(tool: str) -> str:
        async with Client(url, auth=BearerAuth(issuer.token(url))) as client:
            return str((await client.call_tool(tool)).content[0].text)

    if section == "The official Python SDK":
        assert asyncio.run(call("subject")) == "user-1"
    else:
        issuer.asked.clear()
        assert json.loads(asyncio.run(call("whoami"))) == {"sub": "upstream-7", "name": "Ada Lovelace"}
        assert issuer.asked[-1]["caller"] == "example-mcp:a-secret"

    stranger = httpx.post(url, json={})
    assert stranger.status_code == 401
    [metadata_url] = re.findall(r'resource_metadata="([^"]+)"', stranger.headers["www-authenticate"])
    metadata = httpx.get(metadata_url).json()
    assert (metadata["resource"], metadata["authorization_servers"]) == (url, [issuer.url])

    for flaw in ({"aud": "http://localhost:1/mcp"}, {"iss": "https://elsewhere.example.com"}, {"exp": 1}):
        wrong = issuer.token(url, **flaw)
        assert httpx.post(url, json={}, headers={"Authorization": f"Bearer {wrong}"}).status_code == 401


def test_the_typescript_is_typescript_to_the_strictest_compiler(tmp_path: Path) -> None:
    (tmp_path / "server.mts").write_text(code_of("The official TypeScript SDK"))
    sdk = npm.installed(TYPESCRIPT_PINS)
    (tmp_path / "node_modules").symlink_to(sdk.modules)
    strictly = [
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--types",
        "node",
        "--module",
        "nodenext",
        "--target",
        "es2023",
    ]
    command = sdk.command("typescript/bin/tsc", *strictly, "server.mts")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_examples_readme_names_every_setting_and_its_default() -> None:
    settings = dict(
        re.findall(
            r'^[A-Z_]+ = (?:int\()?setting\("(\w+)"(?:, f?"([^"]*)")?\)',
            (EXAMPLE / "server.py").read_text(),
            re.MULTILINE,
        )
    )
    assert len(settings) == 8
    readme = (EXAMPLE / "README.md").read_text()
    for name, default in settings.items():
        assert f"`{name}`" in readme
        if default and "{" not in default:
            assert f"`{default}`" in readme
