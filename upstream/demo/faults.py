"""What can go wrong at one endpoint, and doing it."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from . import rules
from .rules import Rule

HUGE_BYTES = 16 * 1024 * 1024
STOCK = b'{"access_token": "at_0123456789", "token_type": "Bearer"}'  # to truncate where nothing was answered


@dataclass(frozen=True)
class Fault:
    """One endpoint's fault. The default is none: everything is answered as it should be.

    `at="start"` spoils the request before it did anything, `at="end"` does the work first and then loses the
    answer: a refresh token is then spent although nobody received its successor.
    """

    slow_seconds: float = 0
    status: int | None = None
    garbage: str | None = None
    redirect: str | None = None
    close_early: bool = False
    error: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] = field(default_factory=dict)
    id_token: Mapping[str, Any] = field(default_factory=dict)
    logout_token: Mapping[str, Any] = field(default_factory=dict)
    signature: str | None = None
    at: str = "start"
    times: int | None = None


FIELDS: dict[str, Rule] = {
    "slow_seconds": rules.number(at_most=120),
    "status": rules.whole(200, 599),
    "garbage": rules.one_of("html", "truncated", "empty", "binary", "huge"),
    "redirect": rules.WEB_URL,
    "close_early": rules.FLAG,
    "error": rules.OAUTH_ERROR,
    "answer": rules.MERGE_PATCH,
    "id_token": rules.MERGE_PATCH,
    "logout_token": rules.MERGE_PATCH,
    "signature": rules.one_of("broken", "none", "public_key_as_secret", "unpublished_key"),
    "at": rules.one_of("start", "end"),
    "times": rules.whole(1, 1_000_000),
}
_TRANSPORT = {"slow_seconds", "status", "garbage", "redirect", "close_early", "at", "times"}
_TOKENS = _TRANSPORT | {"error", "answer", "id_token", "signature"}

ENDPOINTS: dict[str, set[str]] = {
    "discovery": _TRANSPORT | {"answer"},
    "jwks": _TRANSPORT | {"answer"},
    "authorize": _TRANSPORT,  # the page itself
    "callback": {"error", "answer", "times"},  # what the page sends back to the client's redirect URI
    "token": _TOKENS,  # redeeming a code
    "refresh": _TOKENS,
    "userinfo": _TRANSPORT | {"error", "answer"},
    "api": _TRANSPORT | {"error", "answer"},
    "revoke": _TRANSPORT | {"error"},
    "backchannel_logout": {"logout_token", "signature", "times"},  # what the sign-out page sends to the clients
}


def merged(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 7396: `patch` over `document`; a null takes a member away."""
    result = dict(document)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            below = result.get(name)
            result[name] = merged(below if isinstance(below, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def interfere(
    fault: Fault, moment: str, response: HttpResponse | None = None, *, error_status: int = 400
) -> HttpResponseBase | None:
    """What goes out instead, if `fault` says so at `moment`. `response` is the right answer, if known."""
    if fault.at != moment:
        return None
    if fault.slow_seconds:
        time.sleep(fault.slow_seconds)
    if fault.close_early:
        return _closed_early()
    if fault.redirect is not None:
        return HttpResponseRedirect(fault.redirect)
    if fault.error is not None:
        return JsonResponse(dict(fault.error), status=fault.status or error_status)
    if fault.garbage is not None:
        return _garbage(fault.garbage, STOCK if response is None else response.content, fault.status or 200)
    if fault.status is not None:
        return HttpResponse("The demo provider was told to fail.\n", status=fault.status, content_type="text/plain")
    return None


def _garbage(kind: str, right: bytes, status: int) -> HttpResponse:
    bodies = {
        "html": b"<!doctype html><title>Sorry</title><p>We are down for maintenance.</p>",
        "truncated": right[: len(right) // 2],
        "empty": b"",
        "binary": bytes(range(256)),
        "huge": b'{"filler": "' + b"x" * HUGE_BYTES + b'"}',
    }
    content_type = "text/html" if kind == "html" else "application/json"
    return HttpResponse(bodies[kind], status=status, content_type=content_type)


def _closed_early() -> StreamingHttpResponse:
    """Promises more than it sends, and hangs up: gunicorn closes the socket on a connection error."""

    def body() -> Iterator[bytes]:
        yield b'{"access_token": "'
        raise ConnectionResetError(errno.ECONNRESET, "the demo provider was told to hang up")

    return StreamingHttpResponse(body(), content_type="application/json", headers={"Content-Length": "1000"})
