"""What outbound calls meet in these tests: a page, a listener nobody may reach, a slow server, a resolver that lies."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

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


def resolving_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """The resolver answers a name with these addresses, the next list at the next question. Answers what was asked."""
    asked: list[str] = []
    real = socket.getaddrinfo
    remaining = list(answers)

    def answer(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if not str(host).endswith(".example"):
            return real(host, port, *args, **kwargs)
        asked.append(host)
        found = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


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
