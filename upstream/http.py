"""The one door to other people's servers: providers, and the client metadata documents of CIMD.

`request` decides where a call may go before it connects, resolves the name once and connects to the address it has
checked (so a name cannot change its mind in between), takes no proxy that the operator has not named (`upstream.proxies`),
keeps no cookie, and bounds time and size. Connections and the TLS context are kept for the process: a handshake
costs more than all else here.

A redirect is an answer, and no caller follows one, not even to the same host: what is configured or published is the
address itself, the metadata draft forbids it, and a token that follows a redirect is a token given away.

urllib3 is used directly. `requests-hardened` pins its connections too, but has no bound on a whole call, looks at
the first address of a name only, lets IPv4-compatible addresses and every port pass, and `requests` keeps one
cookie jar for all callers.
"""

from __future__ import annotations

import http.client
import json as jsonlib
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlencode

import certifi
import urllib3
from django.conf import settings
from urllib3.exceptions import HTTPError, SSLError
from urllib3.exceptions import TimeoutError as TimedOut

from upstream import addresses, calls
from upstream.calls import Call
from upstream.connections import PrivatePool, PrivateTlsPool, TlsPool, deadline
from upstream.errors import OutboundFailed, OutboundRefused

MIB = 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_POOLS = 64
_CONNECTIONS_PER_HOST = 16


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status. `headers` is case-insensitive; `body` never shows in a log."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def text(self) -> str:
        """The body as UTF-8. Raises `OutboundFailed("garbage")`."""
        try:
            return self.body.decode("utf-8")
        except UnicodeDecodeError:
            raise OutboundFailed("garbage") from None

    def json(self) -> Any:
        """The body as JSON (RFC 8259, so no NaN). Raises `OutboundFailed("garbage")`."""
        try:
            return jsonlib.loads(self.text(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise OutboundFailed("garbage") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def request(
    method: str,
    url: str,
    *,
    allow_private_network: bool = False,
    headers: Mapping[str, str] | None = None,
    data: Mapping[str, str] | bytes | None = None,
    json: Any = None,
    auth: tuple[str, str] | None = None,
    timeout_seconds: float = 10,
    max_bytes: int = MIB,
    call: Call = calls.OTHER,
) -> Answer:
    """One call, and the answer whatever its status is; a redirect is an answer like any other.

    `data` is a form (a mapping) or raw bytes, `json` a JSON body, `auth` HTTP Basic credentials. `timeout_seconds`
    bounds the whole call, name lookup and slow dripping included. `call` says what it is for, to metrics and traces.
    Raises `OutboundRefused` or `OutboundFailed`.
    """
    with calls.measured(call) as result:
        try:
            target = addresses.parse(url, allow_private_network=allow_private_network)
            sent, body = _prepare(headers, data, json, auth)
            answer = _send(_pools(allow_private_network), method, target, sent, body, timeout_seconds, max_bytes)
        except OutboundRefused:
            result.outcome = "not_called"
            raise
        except OutboundFailed as error:
            result.outcome = error.kind
            raise
        result.answered(answer.status)
        return answer


def _send(
    pools: urllib3.PoolManager,
    method: str,
    target: addresses.Target,
    sent: urllib3.HTTPHeaderDict,
    body: bytes | None,
    timeout_seconds: float,
    max_bytes: int,
) -> Answer:
    token = deadline.set(time.monotonic() + timeout_seconds)
    try:
        pool = pools.connection_from_host(target.host, target.port, target.scheme)
        response = pool.urlopen(
            method,
            target.path,
            body=body,
            headers=sent,
            retries=False,
            redirect=False,
            timeout=urllib3.Timeout(connect=timeout_seconds, read=timeout_seconds),
            preload_content=False,
            decode_content=False,
        )
        try:
            content = _read(response, max_bytes)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return Answer(response.status, response.headers, content)
    except (TimedOut, TimeoutError):
        raise OutboundFailed("timeout") from None
    except SSLError:
        raise OutboundFailed("tls") from None
    except (HTTPError, OSError, http.client.HTTPException):
        raise OutboundFailed("connection") from None
    except ValueError:  # a header or method that cannot be written, such as a token with a line break in it
        raise OutboundFailed("request") from None
    finally:
        deadline.reset(token)


def _prepare(
    headers: Mapping[str, str] | None,
    data: Mapping[str, str] | bytes | None,
    json: Any,
    auth: tuple[str, str] | None,
) -> tuple[urllib3.HTTPHeaderDict, bytes | None]:
    sent = urllib3.HTTPHeaderDict({"User-Agent": "authserver", "Accept": "application/json"})
    sent["Accept-Encoding"] = "identity"  # nothing is decompressed here, so nothing can grow while it is
    body: bytes | None = None
    if json is not None:
        body = jsonlib.dumps(json).encode()
        sent["Content-Type"] = "application/json"
    elif isinstance(data, bytes):
        body = data
    elif data is not None:
        body = urlencode(data).encode()
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    if auth is not None:
        sent["Authorization"] = "Basic " + b64encode(f"{auth[0]}:{auth[1]}".encode()).decode()
    for name, value in (headers or {}).items():
        sent[name] = value
    return sent, body


def _read(response: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    """The body, refused as soon as it is known to pass `max_bytes`."""
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise OutboundFailed("too_large")
    content = bytearray()
    while chunk := response.read(_CHUNK_BYTES, decode_content=False):
        content += chunk
        if len(content) > max_bytes:
            raise OutboundFailed("too_large")
    return bytes(content)


@cache
def tls_context() -> ssl.SSLContext:
    """One a process: reading the certificate authorities takes tens of milliseconds, and megabytes."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.UPSTREAM_CA_FILE:
        context.load_verify_locations(cafile=settings.UPSTREAM_CA_FILE)
    return context


@cache
def _pools(allow_private_network: bool) -> urllib3.PoolManager:
    """Kept apart, so that a connection made for development never serves a caller that may not have it."""
    manager = urllib3.PoolManager(_POOLS, maxsize=_CONNECTIONS_PER_HOST, ssl_context=tls_context())
    manager.pool_classes_by_scheme = (
        {"http": PrivatePool, "https": PrivateTlsPool} if allow_private_network else {"https": TlsPool}
    )
    return manager


__all__ = ["Answer", "OutboundFailed", "OutboundRefused", "request"]
