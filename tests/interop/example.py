"""`examples/fastmcp_server/server.py`, running as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness import processes

SERVER = Path(__file__).resolve().parents[2] / "examples" / "fastmcp_server" / "server.py"
SERVER_ID = "interop-mcp-server"
SCOPE = "mcp:tools"


@dataclass(frozen=True)
class Example:
    """`url` is where clients connect, and the resource identifier (RFC 8707) at once."""

    url: str
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")


def address(port: int) -> str:
    return f"http://localhost:{port}/mcp"


@contextmanager
def running(directory: Path, *, issuer: str, secret: str, port: int, **variables: str) -> Iterator[Example]:
    """The example as resource server `SERVER_ID` of `issuer`; `variables` go into its environment."""
    (directory / "resource_server_secret").write_text(f"{secret}\n")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AUTHSERVER_", "DJANGO_"))}
    environment = inherited | {
        "AUTHSERVER_ISSUER": issuer,
        "RESOURCE_SERVER_ID": SERVER_ID,
        "RESOURCE_SERVER_SECRET_FILE": str(directory / "resource_server_secret"),
        "PORT": str(port),
        **variables,
    }
    example = Example(address(port), directory / "example.log")
    with example.log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, SERVER],
            env=environment,
            cwd=directory,
            stdout=log,
            stderr=log,
            preexec_fn=processes.die_with_parent,
        )
    try:
        processes.until_it_answers(process, example.url, example.log_file)
        yield example
    finally:
        processes.stop(process)
