"""An internet for one test: names have addresses, addresses lead to listeners of this process, every connect is noted.

Our code is as it is. What stands in is the operating system's resolver and the far end of `connect`.
"""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.certificates import self_signed, server_side
from tests.fakes.server import FakeServer

Address = tuple[str, int]


class Network:
    """`names` maps a name to its answers, the next list at the next question and the last for ever after.

    `asked` are the names that were looked up, `connected` the addresses that somebody tried to reach, whether or not there
    is a route to them. A lookup of a `silent` name ends when `silence` does.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, list[list[str]]] = {"localhost": [["127.0.0.1"]]}
        self.routes: dict[Address, int] = {}
        self.silent: set[str] = set()
        self.silence = threading.Event()
        self.asked: list[str] = []
        self.connected: list[Address] = []
        self._real = socket.getaddrinfo, socket.socket.connect
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)
        monkeypatch.setattr(socket.socket, "connect", lambda sock, to: self._connect(sock, to))  # noqa: PLW0108 - binds

    def publish(self, fake: FakeServer, name: str, address: str, directory: Path) -> Path:
        """Put a fake at `https://name`, and answer the authority that vouches for it. Before the fake is entered."""
        authority, private = directory / f"{name}.pem", directory / f"{name}.key"
        self_signed(name, authority, private)
        fake.wrap(server_side(authority, private))
        self.names[name] = [[address]]
        self.routes[address, 443] = int(fake.url.rpartition(":")[2])
        fake.url = f"https://{name}"
        return authority

    def open(self, port: int) -> None:
        """Let a listener on loopback be reached under its own address too."""
        self.routes["127.0.0.1", port] = port

    def _resolve(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if host not in self.names:
            return self._real[0](host, port, *args, **{**kwargs, "flags": socket.AI_NUMERICHOST})
        self.asked.append(host)
        if host in self.silent:
            self.silence.wait(10)
        answers = self.names[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        family = {address: socket.AF_INET6 if ":" in address else socket.AF_INET for address in found}
        return [(family[address], socket.SOCK_STREAM, 6, "", (address, port or 0)) for address in found]

    def _connect(self, sock: socket.socket, address: Any) -> None:
        wanted = (str(address[0]), int(address[1]))
        self.connected.append(wanted)
        if wanted not in self.routes:
            raise ConnectionRefusedError
        self._real[1](sock, ("127.0.0.1", self.routes[wanted]))
