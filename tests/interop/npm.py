"""Somebody else's Node program, installed once a set of pins into the temporary directory, with a Node that is new enough.

`package-lock.json` beside `package.json` pins a program and everything under it by hash; `npm ci` holds it to that, and
nothing of npm's is run at install. Node itself is a package too, because few machines have one new enough.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

NODE_AT_LEAST = 22
NODE_PACKAGE = "node@22.23.3"
INSTALL_SECONDS = 300
QUIET = ("--no-audit", "--no-fund", "--loglevel=error")


@dataclass(frozen=True)
class Packages:
    """A Node interpreter, and the directory `node_modules` of what is installed for it."""

    node: Path
    modules: Path

    def command(self, script: Path | str, *arguments: str) -> list[str]:
        """How to start `script`, a path in `node_modules` or an absolute one."""
        return [str(self.node), str(self.modules / script), *arguments]


def installed(pins: Path) -> Packages:
    """What the directory `pins` lists, installed if this machine has none of it yet.

    Without npm the test is skipped; in CI it fails.
    """
    npm = shutil.which("npm")
    if npm is None:
        message = "needs npm: apt-get install npm"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    digest = hashlib.sha256((pins / "package-lock.json").read_bytes()).hexdigest()[:16]
    with _home(f"{pins.name}-{os.getuid()}-{digest}") as home:
        if not (home / "complete").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(pins / name, home)
            _npm(npm, "ci", "--ignore-scripts", "--prefix", str(home))
            (home / "complete").touch()
    return Packages(_system_node() or _own_node(npm), home / "node_modules")


@contextmanager
def _home(name: str) -> Iterator[Path]:
    """A directory of ours in the temporary one, for one install at a time; the others find it done."""
    home = Path(tempfile.gettempdir()) / f"authserver-{name}"
    home.mkdir(mode=0o700, exist_ok=True)
    if home.stat().st_uid != os.getuid():
        pytest.fail(f"{home} is somebody else's")
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield home


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


def _own_node(npm: str) -> Path:
    """Ours, one for every program."""
    with _home(f"{NODE_PACKAGE}-{os.getuid()}") as home:
        node = home / "node_modules" / ".bin" / "node"
        if not node.exists():
            _npm(npm, "install", "--no-save", "--prefix", str(home), NODE_PACKAGE)
    return node
