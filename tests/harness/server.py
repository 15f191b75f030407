"""Our server as people start it: `./dev run`, a process of its own on a loopback port."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.harness import processes

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 120


@dataclass
class Server:
    """A running server. `issuer` is who it says it is, `url` is where this process listens; usually they are the same."""

    issuer: str
    url: str
    port: int
    data_dir: Path
    process: subprocess.Popen[bytes]
    log_file: Path
    database_url: str = ""  # where it was given one
    root: Path = ROOT
    python: str | Path = sys.executable

    @property
    def log(self) -> str:
        """Everything it has printed, logged and complained about so far."""
        return self.log_file.read_text(errors="replace")

    def secret(self, name: str) -> str:
        """A secret of its data directory by its file's name, such as `demo_resource_server_secret`."""
        return (self.data_dir / name).read_text().strip()

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A `./dev manage` command with this server's environment; its output is captured, its status is yours to judge."""
        database = {"AUTHSERVER_DATABASE_URL": self.database_url} if self.database_url else {}
        return subprocess.run(
            dev("manage", "--data-dir", self.data_dir, *arguments, root=self.root, python=self.python),
            env=environment(database), capture_output=True, text=True, timeout=START_SECONDS, check=False,
        )  # fmt: skip

    def wait(self) -> Server:
        """Until it says that it is ready; an error with its log, where it never does."""
        deadline = time.monotonic() + START_SECONDS
        while f"Ready: {self.issuer}" not in self.log:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"The server did not start:\n{self.log}")
            time.sleep(0.05)
        return self

    def stop(self) -> int:
        """Stop it as an operator would, with SIGTERM; answers its exit status. Idempotent."""
        return processes.stop(self.process)

    def kill(self) -> None:
        """SIGKILL to the master and every worker, as when the machine goes: nobody ends anything."""
        workers = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in (self.process.pid, *map(int, workers)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def dev(verb: str, *arguments: str | Path, root: Path = ROOT, python: str | Path = sys.executable) -> list[str | Path]:
    """The command line of `./dev`, serving with the interpreter that runs the tests; or another tree with its own."""
    return [python, root / "dev", verb, "--python", python, *arguments]


def environment(overrides: Mapping[str, str]) -> dict[str, str]:
    """A caller's environment without ours: the tests' settings are no server's."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AUTHSERVER_", "DJANGO_"))}
    return {**own, **overrides}


def launch(
    data_dir: Path,
    *arguments: str,
    issuer: str | None = None,
    port: int | None = None,
    root: Path = ROOT,
    python: str | Path = sys.executable,
    **overrides: str,
) -> Server:
    """Begin to start a server over `data_dir`; `wait` for it.

    `arguments` go to `./dev run`, `overrides` into its environment. With another server's `issuer` and data directory it is
    a second process of the same server; `root` and `python` are another release's tree, and an interpreter with what it needs.
    """
    port = port or processes.free_port()
    url = f"http://localhost:{port}"
    same_issuer = ("--issuer", issuer) if issuer else ()
    log_file = data_dir.with_name(f"{data_dir.name}-{port}.log")  # beside it: what is inside is the server's
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            dev("run", "--port", str(port), "--data-dir", data_dir, *same_issuer, *arguments, root=root, python=python),
            env=environment(overrides), stdout=log, stderr=log, preexec_fn=processes.die_with_parent,
        )  # fmt: skip
    database_url = overrides.get("AUTHSERVER_DATABASE_URL", "")
    return Server(issuer or url, url, port, data_dir, process, log_file, database_url, root, python)


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until somebody listens on this port of the loopback."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{process.args!r} did not start") from None
            time.sleep(0.02)
