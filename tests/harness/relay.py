"""A relay in front of a server that keeps every byte the server sent: what people and clients get to see."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

from tests.harness.processes import free_port


class Relay:
    """Listens on `port` of the loopback and passes everything on to `target_port`, once that is set. `answers` are the
    server's bytes, one entry a connection."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.target_port = 0
        self.answers: list[bytearray] = []
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._pass_on, args=(caller,), daemon=True).start()

    def _pass_on(self, caller: socket.socket) -> None:
        answer = bytearray()
        self.answers.append(answer)
        with caller, socket.create_connection(("127.0.0.1", self.target_port)) as server:
            asking = threading.Thread(target=_pump, args=(caller, server, None), daemon=True)
            asking.start()
            _pump(server, caller, answer)
            asking.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.close()


def _pump(source: socket.socket, sink: socket.socket, record: bytearray | None) -> None:
    """Until either end is gone; then neither is waited for."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            if record is not None:
                record += chunk
            sink.sendall(chunk)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
