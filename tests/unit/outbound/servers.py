"""What outbound calls meet in these tests: a page, a provider, a proxy, a listener nobody may reach, a slow server."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from tests.fakes.oidc import FakeOidc
from tests.fakes.server import FakeServer, Reply, Seen


class Canary:
    """A listener that nobody may ever reach. It counts who does."""

    def __init__(self, family: socket.AddressFamily = socket.AF_INET, host: str = "127.0.0.1") -> None:
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.bind((host, 0))
        self.listener.listen()
        self.listener.settimeout(0.05)
        self.port: int = self.listener.getsockname()[1]

    @property
    def reached(self) -> bool:
        try:
            self.listener.accept()[0].close()
        except TimeoutError:
            return False
        return True


class Page(FakeServer):
    """Answers by path; `reply` is the last resort."""

    def __init__(self) -> None:
        super().__init__()
        self.reply = Reply(200, {"a": 1})

    def answer(self, seen: Seen) -> Reply:
        return self.reply


class Idp(FakeOidc):
    """`instead` are replies in place of what a path answers."""

    def __init__(self) -> None:
        super().__init__()
        self.instead: dict[str, Reply] = {}

    def answer(self, seen: Seen) -> Reply:
        return self.instead.get(seen.path) or super().answer(seen)


class Proxy:
    """A forward proxy that knows CONNECT. `heads` are the requests it got; `reply` is said in place of a tunnel.

    It resolves nothing: `tunnels` says which loopback port a target (`idp.example:443`) is behind.
    """

    USER, PASSWORD = "us", "CANARY:p@ss"

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.url = f"http://{self.USER}:CANARY%3Ap%40ss@127.0.0.1:{self.port}"
        self.tunnels: dict[str, int] = {}
        self.heads: list[str] = []
        self.reply: bytes | None = None
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    @property
    def targets(self) -> list[str]:
        return [head.split()[1] for head in self.heads]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096) or b"\r\n\r\n"
            self.heads.append(head.decode())
            if self.reply is not None:
                client.sendall(self.reply)
                return
            basic = base64.b64encode(f"{self.USER}:{self.PASSWORD}".encode()).decode()
            if f"Proxy-Authorization: Basic {basic}\r\n" not in head.decode():
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            far = socket.create_connection(("127.0.0.1", self.tunnels[self.targets[-1]]))
            self._open.append(far)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            threading.Thread(target=self._pump, args=(far, client), daemon=True).start()
            self._pump(client, far)

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._accepting.join()
        for each in self._open:
            each.close()


def dripping(first: bytes, drip: bytes) -> tuple[int, Callable[[], None]]:
    """A server that says `first` at once, and then `drip` every 50 ms for ever. Answers its port and how to stop it."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve() -> None:
        listener.settimeout(5)
        try:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(first)
                while not stopped.wait(0.05):
                    connection.sendall(drip)
        except OSError:
            pass  # the caller hung up, which is the point

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def stop() -> None:
        stopped.set()
        thread.join()
        listener.close()

    return listener.getsockname()[1], stop
