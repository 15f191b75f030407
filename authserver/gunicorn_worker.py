"""gunicorn's threaded worker, which leaves its door when it is told to end, and sends an answer in one piece;
`gunicorn.conf.py` names it.

gunicorn's own stops accepting, and keeps the listening socket until its last request is answered. Meanwhile the kernel
takes connections that nobody will serve: they hang, and end in a reset that a proxy may not repeat a POST after. Closed at
once, they are refused, and the proxy asks another process.
"""

from __future__ import annotations

import select
from typing import Any

from gunicorn.workers.gthread import ThreadWorker


class OnePiece:
    """A socket that keeps the head of an answer until its body comes. gunicorn sends them apart: two packets, and for the
    small answers that ours are a third of what the server's own part of a request costs."""

    def __init__(self, whole: Any) -> None:
        self._whole = whole
        self._held: bytes | None = None

    def sendall(self, data: bytes) -> None:
        if self._held is None:
            self._held = data  # the head comes first, in one call
            return
        self._whole.sendall(self._held + data)
        self._held = b""

    def flush(self) -> None:
        """Whatever is still held: the head of an answer without a body."""
        if self._held:
            self._whole.sendall(self._held)
            self._held = b""

    def sendfile(self, *arguments: Any, **named: Any) -> Any:
        self.flush()
        return self._whole.sendfile(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


class Worker(ThreadWorker):
    """As its base, but for how it answers, and for the end: whoever waits at the door is let in, then it is shut."""

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Where it fails before the head is sent, the base answers on the socket itself."""
        whole, conn.sock = conn.sock, OnePiece(conn.sock)
        try:
            goes_on = super().handle_request(req, conn)
            conn.sock.flush()
            return goes_on
        finally:
            conn.sock = whole

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if enabled or self.alive:  # for a while only, with as many connections as it may have
            return
        for listener in self.sockets:
            while listener.fileno() >= 0 and select.select([listener], [], [], 0)[0]:
                self.accept(listener)
            listener.close()  # this worker's own: after SIGHUP the next workers have theirs
