"""Connections to checked addresses, each call under one deadline: what `upstream.http` makes its calls on."""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from contextvars import ContextVar
from typing import Any, ClassVar

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.connection import create_connection

from upstream import addresses
from upstream.errors import OutboundFailed

deadline: ContextVar[float] = ContextVar("deadline")
"""When the call under way in this thread must be over, on the monotonic clock."""


def remaining() -> float:
    """Seconds left of this call. Raises `TimeoutError` when there are none."""
    left = deadline.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _DeadlineReader(io.RawIOBase):
    """Gives each read only what is left of the whole call: a byte now and then does not hold us for ever."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(remaining())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineSocket:
    """As much of a socket as `http.client.HTTPResponse` uses."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._socket))


class _DeadlineResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(_DeadlineSocket(sock), *args, **kwargs)  # type: ignore[arg-type]  # it only calls makefile


class _Guarded(HTTPConnection):
    """Connects to an address that has been checked, and to no other. TLS still verifies the name asked for."""

    allow_private_network: ClassVar[bool] = False
    response_class = _DeadlineResponse

    def _new_conn(self) -> socket.socket:
        candidates = _resolve(self.host, self.port or 0)
        allowed = addresses.checked(candidates, allow_private_network=self.allow_private_network)
        failure: OSError = OSError("no address")
        for left, address in zip(range(len(allowed), 0, -1), allowed, strict=True):
            try:
                # A share of the time each, so that one dead address leaves time for the next.
                seconds = remaining() / left
                return create_connection((address, self.port or 0), seconds, socket_options=self.socket_options)
            except OSError as error:
                failure = error
        raise OutboundFailed("timeout" if isinstance(failure, TimeoutError) else "connection")


class _GuardedTls(_Guarded, HTTPSConnection):
    pass


class _PrivateGuarded(_Guarded):
    allow_private_network = True


class _PrivateGuardedTls(_GuardedTls):
    allow_private_network = True


class TlsPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTls


class PrivatePool(HTTPConnectionPool):
    ConnectionCls = _PrivateGuarded


class PrivateTlsPool(HTTPSConnectionPool):
    ConnectionCls = _PrivateGuardedTls


def _resolve(host: str, port: int) -> list[str]:
    """The addresses of a name or literal, in the resolver's order, each once. Raises `OutboundFailed`.

    On its own thread, because the resolver knows no deadline.
    """
    found: list[str] = []
    errors: list[OSError | UnicodeError] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(answer[4][0]) for answer in answers))
        except (OSError, UnicodeError) as error:
            errors.append(error)

    worker = threading.Thread(target=ask, name="resolve", daemon=True)
    worker.start()
    worker.join(remaining())
    if worker.is_alive():
        raise OutboundFailed("timeout")
    if errors or not found:
        raise OutboundFailed("dns")
    return list(found)
