"""The MCP conformance runner (npm), installed once a version into the temporary directory, with the Node that it needs.

`conformance/package-lock.json` pins the runner and everything under it by hash. Its Node is a package too, because few
machines have one new enough; nothing else of npm's is run at install.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

PINS = Path(__file__).parent / "conformance"
NODE_AT_LEAST = 22
NODE_PACKAGE = "node@22.23.3"
INSTALL_SECONDS = 300
QUIET = ("--no-audit", "--no-fund", "--loglevel=error")


@dataclass(frozen=True)
class Runner:
    """How to start it: a Node interpreter and the runner's entry file."""

    node: Path
    script: Path

    def command(self, *arguments: str) -> list[str]:
        return [str(self.node), str(self.script), *arguments]


def installed() -> Runner:
    """The runner, installed if this machine has none of this version yet. Without npm the test is skipped; in CI it fails."""
    npm = shutil.which("npm")
    if npm is None:
        message = "needs npm: apt-get install npm"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    pins = hashlib.sha256((PINS / "package-lock.json").read_bytes() + NODE_PACKAGE.encode()).hexdigest()[:16]
    home = Path(tempfile.gettempdir()) / f"authserver-conformance-{os.getuid()}-{pins}"
    home.mkdir(mode=0o700, exist_ok=True)
    if home.stat().st_uid != os.getuid():
        pytest.fail(f"{home} is somebody else's")
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one install at a time; the others find it done
        if not (home / "complete").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(PINS / name, home)
            _npm(npm, "ci", "--ignore-scripts", "--prefix", str(home))
            (home / "complete").touch()
        node = _system_node() or home / "node" / "node_modules" / ".bin" / "node"
        if not node.exists():
            _npm(npm, "install", "--no-save", "--prefix", str(home / "node"), NODE_PACKAGE)
    return Runner(node, home / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js")


def _npm(npm: str, *arguments: str) -> None:
    done = subprocess.run(
        [npm, *arguments, *QUIET], capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if done.returncode:
        pytest.fail(f"npm {arguments[0]} failed:\n{done.stdout}{done.stderr}")


def _system_node() -> Path | None:
    """The machine's own Node, where it is new enough."""
    node = shutil.which("node")
    if node is None:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.match(r"v(\d+)\.", version)
    return Path(node) if match and int(match.group(1)) >= NODE_AT_LEAST else None
