"""Connections to checked addresses, each call under one deadline: what `upstream.http` makes its calls on.

Through a proxy (`upstream.proxies`) a connection is a tunnel (RFC 9110 s9.3.6): TLS is the target's own, end to end, and the
proxy is told no more than name and port. What the name resolves to here is checked as ever. A name that does not resolve
here, as is usual behind a proxy, is the proxy's to judge.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from contextvars import ContextVar
from typing import Any, ClassVar

import structlog
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.connection import create_connection

from upstream import addresses
from upstream.errors import OutboundFailed
from upstream.proxies import Proxy, proxy_for

log = structlog.get_logger(__name__)

LOOKUP_SECONDS = 2
"""What a name's lookup may take where a proxy could resolve it as well: some resolvers behind one never answer."""
_SOCKET_OPTIONS = HTTPConnection.default_socket_options

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
        port = self.port or 0
        proxy = None if self.allow_private_network else proxy_for(self.host)
        if proxy is None:
            found = _resolve(self.host, remaining())
            return _connect(addresses.checked(found, allow_private_network=self.allow_private_network), port)
        try:
            known = _resolve(self.host, min(remaining(), LOOKUP_SECONDS))
        except OutboundFailed:
            known = []
        addresses.checked(known, allow_private_network=False)
        return _tunnel(proxy, self.host, port)

    def send(self, data: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(remaining())
        super().send(data)


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


def _connect(candidates: list[str], port: int) -> socket.socket:
    """A connection to the first of these addresses that answers. Raises `OutboundFailed`."""
    failure: OSError = OSError("no address")
    for left, address in zip(range(len(candidates), 0, -1), candidates, strict=True):
        try:
            # A share of the time each, so that one dead address leaves time for the next.
            sock = create_connection((address, port), remaining() / left, socket_options=_SOCKET_OPTIONS)
        except OSError as error:
            failure = error
        else:
            # What is left is for the handshake, which is timed as a whole; zero would mean not to block.
            sock.settimeout(max(deadline.get() - time.monotonic(), 0.001))
            return sock
    raise OutboundFailed("timeout" if isinstance(failure, TimeoutError) else "connection")


def _tunnel(proxy: Proxy, host: str, port: int) -> socket.socket:
    """A connection that the proxy has made for us. Raises `OutboundFailed`: `proxy` where it did not, or is not there."""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: authserver\r\n"
    if proxy.authorization:
        head += f"Proxy-Authorization: {proxy.authorization}\r\n"
    try:
        sock = _connect(_resolve(proxy.host, remaining()), proxy.port)
    except OutboundFailed as error:
        raise _proxy_failed(error.kind) from None
    why = ""
    try:
        sock.sendall(f"{head}\r\n".encode("ascii"))
        with _DeadlineResponse(sock, method="CONNECT") as answer:  # closes its reader; the socket stays open
            answer.begin()
        if not 200 <= answer.status < 300:
            why = f"http_{answer.status}"
    except TimeoutError:
        why = "timeout"
    except (OSError, http.client.HTTPException):
        why = "connection"
    if why:
        sock.close()
        raise _proxy_failed(why)
    return sock


def _proxy_failed(why: str) -> OutboundFailed:
    """An operator's matter, so it is logged in its own words; for everybody else the call just failed."""
    log.warning("outbound.proxy_failed", reason=why)
    return OutboundFailed("timeout" if why == "timeout" else "proxy")


def _resolve(host: str, seconds: float) -> list[str]:
    """The addresses of a name or literal, in the resolver's order, each once. Raises `OutboundFailed`.

    On its own thread, because the resolver knows no deadline.
    """
    found: list[str] = []
    errors: list[OSError | UnicodeError] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(answer[4][0]) for answer in answers))
        except (OSError, UnicodeError) as error:
            errors.append(error)

    worker = threading.Thread(target=ask, name="resolve", daemon=True)
    worker.start()
    worker.join(seconds)
    if worker.is_alive():
        raise OutboundFailed("timeout")
    if errors or not found:
        raise OutboundFailed("dns")
    return list(found)
