"""Clients that are slow on purpose, each from the address it is told: they hold what they can reach, and let nobody have it.

with Slow(port, addresses, context) as slow:     # 200 of them, TLS with a context, without one in clear
    ...                                          # a byte of each, five times a second; who is put off comes again
    slow.holding()                               # how many connections are open
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading
from collections.abc import Sequence
from typing import Self

PAUSE_SECONDS = 0.2
IDLE = b""  # connects, and says nothing
HEADERS = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: "  # and never an end of them
BODY = b"POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n"
KINDS = (IDLE, HEADERS, BODY)


class Slow:
    """`count` connections, a third of each kind, spread over the addresses. Refused ones are opened again."""

    def __init__(
        self,
        port: int,
        addresses: Sequence[str],
        context: ssl.SSLContext | None = None,
        *,
        count: int = 200,
        kinds: Sequence[bytes] = KINDS,
    ) -> None:
        self._port, self._context, self._count = port, context, count
        self._addresses, self._kinds = itertools.cycle(addresses), itertools.cycle(kinds)
        self._open: list[tuple[socket.socket, bytes]] = []
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._dribble, daemon=True)

    def _connect(self) -> None:
        begins = next(self._kinds)
        connection = socket.create_connection(("127.0.0.1", self._port), 10, source_address=(next(self._addresses), 0))
        if self._context is not None and begins:
            connection = self._context.wrap_socket(connection, server_hostname="localhost")
        connection.sendall(begins)
        self._open.append((connection, begins))

    def _dribble(self) -> None:
        while not self._enough.wait(PAUSE_SECONDS):
            for one in list(self._open):
                connection, kind = one
                try:
                    if kind:
                        connection.sendall(b"x")
                except OSError:
                    self._open.remove(one)
                    connection.close()
            with contextlib.suppress(OSError):
                while len(self._open) < self._count and not self._enough.is_set():
                    self._connect()

    def holding(self) -> int:
        """How many are open now, as far as they know."""
        return len(self._open)

    def __enter__(self) -> Self:
        for _ in range(self._count):
            self._connect()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._enough.set()
        self._thread.join()
        for connection, _ in self._open:
            connection.close()
