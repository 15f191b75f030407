"""Child processes that cannot outlive the tests."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

START_SECONDS = 60
PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent(with_signal: signal.Signals = signal.SIGTERM) -> None:
    """For `preexec_fn`: the kernel sends this process `with_signal` when its parent ends, however that ends. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, with_signal)


def stop(
    process: subprocess.Popen[bytes], with_signal: signal.Signals = signal.SIGTERM, patience_seconds: float = 30
) -> int:
    """Ask, wait, insist; answers the exit status."""
    if process.poll() is None:
        process.send_signal(with_signal)
    try:
        return process.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def until_it_answers(process: subprocess.Popen[bytes], url: str, log_file: Path | None = None) -> None:
    """Wait for an HTTP server, whatever it answers. RuntimeError, with its log, where it ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(url, timeout=5)
            return
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > deadline:
                log = log_file.read_text(errors="replace") if log_file else ""
                raise RuntimeError(f"{url} does not answer:\n{log}") from None
            time.sleep(0.05)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
