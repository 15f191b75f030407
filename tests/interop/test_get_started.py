"""`docs/get-started.md`: what it says to type is typed, and what it promises is there. GitHub itself is not asked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.conftest import StartServer
from tests.documentation.documents import ROOT, fenced
from tests.harness import processes
from tests.harness.oauth import OAuthClient
from tests.harness.person import Person
from tests.harness.server import Server, environment

pytestmark = pytest.mark.interop

TEXT = (ROOT / "docs" / "get-started.md").read_text()
RUN, EXAMPLE, APPLY, GITHUB_EXAMPLE = fenced(TEXT, "sh")
START_SECONDS = 60


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    """`./dev run`, in a data directory and at a port of its own."""
    assert RUN == "./dev run\n"
    return start_server()


def typed(block: str, server: Server) -> str:
    """The block as it is typed where nothing but the interpreter and the data directory differs.

    `./dev example` would install into an environment of its own what the tests have already.
    """
    manage = f"{sys.executable} {ROOT}/dev manage --python {sys.executable} --data-dir {server.data_dir}"
    example = f"AUTHSERVER_ISSUER={server.issuer} exec {sys.executable} {ROOT}/examples/fastmcp_server/server.py"
    there = block.replace("./dev manage", manage)
    return re.sub(r"^(.*)\./dev example fastmcp$", rf"\1 {example}", there, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def configured(server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Server, str]:
    """The same server with `github.yaml` applied, and what that printed."""
    directory = tmp_path_factory.mktemp("get-started")
    [file] = fenced(TEXT, "yaml")
    (directory / "github.yaml").write_text(file)
    done = subprocess.run(
        ["/bin/bash", "-ec", typed(APPLY, server)],
        cwd=directory, env=environment({}), capture_output=True, text=True, timeout=START_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return server, done.stdout


def test_the_addresses_it_names_answer(server: Server) -> None:
    named = {urlsplit(url).path for url in re.findall(r"Open `http://localhost:8000([^`]*)`", TEXT)}
    assert named == {"/demo/", "/account/", "/admin/"}
    for path in named:
        assert httpx.get(server.issuer + path, follow_redirects=True).status_code == 200


def test_applying_the_file_prints_what_is_shown(configured: tuple[Server, str]) -> None:
    [shown] = fenced(TEXT, "text")
    lines = configured[1].splitlines()
    assert [line for line in lines if not line.startswith("note: ")] == shown.splitlines()
    assert any(line.startswith("note: upstream demo") and "kept" in line for line in lines)


def test_a_client_of_that_resource_is_led_to_github_and_back_to_the_callback(configured: tuple[Server, str]) -> None:
    server, _printed = configured
    client = OAuthClient.registered(server.issuer)
    flow = client.begin(resource="http://localhost:9001/mcp")
    person = Person(provider="github")
    there = person.walk(flow.url, until="https://github.com/login/oauth/authorize")
    asked = parse_qs(urlsplit(there).query)
    assert asked["client_id"] == ["Iv1.abc"]
    assert asked["redirect_uri"] == [f"{server.issuer}/oauth/callback/github"]
    assert f"`{server.issuer.rpartition(':')[0]}:8000/oauth/callback/github`" in TEXT
    assert "My GitHub tools" in person.seen[0].text, "consent comes first"


@pytest.fixture(params=[EXAMPLE, GITHUB_EXAMPLE], ids=["demo", "github"])
def mcp_server(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[str]:
    """The example as the document starts it, at a port that is free here."""
    named, port = ("9001", processes.free_port()) if "PORT=9001" in request.param else ("9000", processes.free_port())
    secret = "RESOURCE_SERVER_SECRET=a-secret " if named == "9000" else ""  # `./dev example` knows the demo's
    command = f"export MY_MCP_SECRET=a-secret; PORT={port} {secret}" + typed(request.param, server).replace(
        "PORT=9001 ", ""
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["/bin/bash", "-ec", command], env=environment({"PATH": os.environ["PATH"]}), stdout=log, stderr=log,
            preexec_fn=processes.die_with_parent,
        )  # fmt: skip
    url = f"http://localhost:{port}/mcp"
    try:
        processes.until_it_answers(process, url, tmp_path / "log")
        yield url
    finally:
        processes.stop(process)


def test_the_example_says_where_to_sign_in(mcp_server: str, server: Server) -> None:
    refused = httpx.post(mcp_server, json={})
    assert refused.status_code == 401
    [address] = re.findall(r'resource_metadata="([^"]+)"', refused.headers["WWW-Authenticate"])
    metadata = httpx.get(address).json()
    assert (metadata["resource"], metadata["authorization_servers"]) == (mcp_server, [server.issuer])
