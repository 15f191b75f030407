"""Somebody else's Python program in an environment of its own, installed once a set of pins into the temporary directory.

What it needs contradicts what we need, so nothing of it goes into ours.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

INSTALL_SECONDS = 300


def installed(name: str, pins: Path) -> Path:
    """The interpreter of an environment with what `pins`, a requirements file with hashes, lists."""
    digest = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:16]
    home = Path(tempfile.gettempdir()) / f"authserver-{name}-{os.getuid()}-{digest}"
    home.mkdir(mode=0o700, exist_ok=True)
    if home.stat().st_uid != os.getuid():
        pytest.fail(f"{home} is somebody else's")
    python = home / "environment" / "bin" / "python"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one install at a time; the others find it done
        if not (home / "complete").exists():
            _run(sys.executable, "-m", "venv", "--clear", str(home / "environment"))
            _run(
                str(python),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--only-binary=:all:",
                "--require-hashes",
                "-r",
                str(pins),
            )
            (home / "complete").touch()
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(command[1:4])} failed:\n{done.stdout}{done.stderr}")
