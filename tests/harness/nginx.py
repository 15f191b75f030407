"""A real nginx with the files that are deployed, `deploy/nginx/`; only what is another machine's is replaced."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.certificates import self_signed
from tests.harness import processes
from tests.harness.server import ROOT, wait_for_port

FILES = ROOT / "deploy" / "nginx"
LISTEN = "listen 8443 ssl http2 default_server backlog=4096;"


@dataclass(frozen=True)
class Nginx:
    """A running proxy. `certificate` (and its own authority) and `private_key` are what it shows, where it speaks TLS."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path
    certificate: Path
    private_key: Path

    @property
    def log(self) -> str:
        """Its access log and its complaints."""
        return self.log_file.read_text(errors="replace")

    def reload(self) -> None:
        """As `nginx -s reload`: new workers, the old ones end with their last request."""
        self.process.send_signal(signal.SIGHUP)


def program() -> str:
    """Where it is; without an nginx on the machine the test is skipped (`.ci/run` installs it)."""
    found = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip("needs nginx: apt-get install nginx")
    return found


def render(directory: Path, *, port: int, backends: Sequence[int], tls: bool) -> Path:
    """The deployed files for ports of the loopback, in `directory`; the main one. `tls` false: as behind a load balancer
    that ends TLS.
    """
    certificate, private_key = directory / "certificate.pem", directory / "private_key.pem"
    if not certificate.exists():
        self_signed("localhost", certificate, private_key)
    first, second = backends
    listen = LISTEN.replace("8443", f"127.0.0.1:{port}")
    server = directory / "authserver.conf"
    server.write_text(
        replaced(
            (FILES / "authserver.conf").read_text(),
            {
                "server web-1:8000 ": f"server 127.0.0.1:{first} ",
                "server web-2:8000 ": f"server 127.0.0.1:{second} ",
                LISTEN: listen if tls else listen.replace(" ssl http2", ""),
                "    127.0.0.0/8 1;": "    127.0.0.1 1;",  # so that there are strangers
                "server_name auth.example.com;": "server_name localhost;",
                "/run/secrets/tls_certificate": str(certificate),
                "/run/secrets/tls_private_key": str(private_key),
            },
        )
    )
    main = directory / "nginx.conf"
    text = (FILES / "nginx.conf").read_text().replace("/tmp/", f"{directory}/")  # noqa: S108  # its own, in its container
    main.write_text(replaced(text, {"/etc/nginx/conf.d/authserver.conf": str(server)}))
    return main


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """The text with each of these, which stands there once, replaced."""
    for old, new in changes.items():
        assert text.count(old) == 1, f"{old!r} stands there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def command(main: Path, *arguments: str) -> list[str]:
    return [program(), "-p", str(main.parent), "-c", str(main), "-e", "stderr", *arguments]


@contextmanager
def running(directory: Path, *, port: int, backends: Sequence[int], tls: bool = False) -> Iterator[Nginx]:
    main = render(directory, port=port, backends=backends, tls=tls)
    log_file = directory / "nginx.log"
    with log_file.open("ab") as log:  # appending: standard output and standard error are one file
        process = subprocess.Popen(
            command(main, "-g", "daemon off;"), stdout=log, stderr=log, preexec_fn=processes.die_with_parent
        )
    try:
        try:
            wait_for_port(port, process)
        except RuntimeError:
            raise RuntimeError(f"nginx did not start:\n{log_file.read_text()}") from None
        yield Nginx(process, port, log_file, directory / "certificate.pem", directory / "private_key.pem")
    finally:
        processes.stop(process)
