"""A gate between a server and its PostgreSQL: passes everything on, and holds what it is told to hold.

gate = Gate(database_url)                  # AUTHSERVER_DATABASE_URL=gate.url
gate.hold(b'"lease_holder" =', "answer")   # the next statement with these bytes: it is done, its answer kept back
gate.answered.wait(20)                     # it is done; `held` comes as soon as it was seen
gate.close(); gate.open()                  # the database is away, and back
gate.close(silently=True)                  # its host has vanished: nobody refuses a connection, and nobody answers
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import urlsplit

What = Literal["statement", "answer"]


@dataclass
class _Through:
    """One connection: its two ends, and what was sent since the last answer."""

    server: socket.socket
    database: socket.socket
    asked: bytearray = field(default_factory=bytearray)
    keeps_back: bool = False


class Gate:
    """Speaks no SQL: it looks for bytes in what the server sends. Django's statements are text on the wire."""

    def __init__(self, database_url: str) -> None:
        parts = urlsplit(database_url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        user = f"{parts.username}@" if parts.username else ""
        self.url = parts._replace(netloc=f"{user}127.0.0.1:{self._listener.getsockname()[1]}").geturl()
        self.held, self.answered = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._watched: tuple[bytes, What] | None = None
        self._away = threading.Event()
        self._silently = False
        self._unanswered: list[socket.socket] = []
        self._connections: list[socket.socket] = []
        self._carriers: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def hold(self, marker: bytes, what: What) -> None:
        """Hold the next statement that contains `marker`, or the answer to it, for as long as its connection lives."""
        with self._lock:
            self.held.clear()
            self.answered.clear()
            self._watched = (marker, what)

    def open(self) -> None:
        """Back again; what was to be held is forgotten."""
        with self._lock:
            self._watched = None
        self._away.clear()

    def close(self, *, silently: bool = False) -> None:
        """As if the database were away: connections break, and new ones are closed, until `open`.

        Silently, new ones are held without an answer, also when others get through again.
        """
        self._silently = silently
        self._away.set()
        with self._lock:
            broken, self._connections = self._connections, []
        for end in broken:
            _shut(end)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
        _shut(self._listener)  # `close` alone does not wake who waits for a connection
        self._thread.join()
        self._listener.close()
        for server in self._unanswered:
            server.close()
        for carrier in self._carriers:
            carrier.join()

    def _serve(self) -> None:
        while True:
            try:
                server, _ = self._listener.accept()
            except OSError:  # closed
                return
            if self._away.is_set():
                if self._silently:
                    self._unanswered.append(server)
                else:
                    server.close()
                continue
            database = socket.create_connection(self._target)
            with self._lock:
                self._connections += [server, database]
            carrier = threading.Thread(target=self._carry, args=(_Through(server, database),), daemon=True)
            self._carriers.append(carrier)
            carrier.start()

    def _carry(self, through: _Through) -> None:
        with through.server, through.database:
            asking = threading.Thread(target=self._ask, args=(through,), daemon=True)
            asking.start()
            self._answer(through)
            asking.join()

    def _ask(self, through: _Through) -> None:
        with contextlib.suppress(OSError):
            while chunk := through.server.recv(65536):
                through.asked += chunk
                what = self._caught(bytes(through.asked))
                if what == "answer":
                    through.keeps_back = True
                if what != "statement":
                    through.database.sendall(chunk)
                if what is not None:
                    self.held.set()
        _shut(through.server, through.database)

    def _answer(self, through: _Through) -> None:
        """Of a statement that was kept back there is no answer."""
        with contextlib.suppress(OSError):
            while chunk := through.database.recv(65536):
                through.asked.clear()
                if through.keeps_back:
                    self.answered.set()
                else:
                    through.server.sendall(chunk)
        _shut(through.server, through.database)

    def _caught(self, sent: bytes) -> What | None:
        with self._lock:
            if self._watched is None or self._watched[0] not in sent:
                return None
            (_, what), self._watched = self._watched, None
            return what


def _shut(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
