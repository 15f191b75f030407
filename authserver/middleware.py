"""What every request passes first: a request id, and the refusal of what no endpoint can want."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import structlog
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext, gettext_noop

from authserver.addresses import from_proxy
from authserver.conf import load
from authserver.errors import OAuthError, json_response
from authserver.machine_paths import MACHINE_PATHS

Handler = Callable[[HttpRequest], HttpResponse]


def speaks_json(request: HttpRequest) -> bool:
    """Whether this path is a machine's: its errors are JSON. Found out once a request, and asked all along its way."""
    known: bool | None = getattr(request, "_speaks_json", None)
    if known is None:
        known = request._speaks_json = under(request, MACHINE_PATHS)  # type: ignore[attr-defined]  # ours
    return known


def under(request: HttpRequest, paths: tuple[str, ...]) -> bool:
    """Whether the path begins like one of these, which leave out that of the issuer."""
    path = load().path
    asked = request.path_info.removeprefix(f"/{path}") if path else request.path_info
    return asked.startswith(paths)


class RequestId:
    """Gives each request an id, on every log line, audit row and error page, and in `X-Request-ID`.

    Where proxies are trusted, theirs is taken if it is one, so that a request has one name along its way.
    """

    WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "") if from_proxy(request) else ""
        request_id = given if self.WELL_FORMED.fullmatch(given) else uuid.uuid4().hex
        request.id = request_id  # type: ignore[attr-defined]  # ours
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class EdgeGuard:
    """Refuses what no endpoint can want, before anything parses it, in the words of whoever asked.

    A host that is not ours (nothing of ours is ever built from the Host header, but a cache may be), a body over
    64 KiB, a path with NUL or bytes that are not UTF-8.
    """

    MAX_BODY_BYTES = 64 * 1024

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdigit()) or int(length) > self.MAX_BODY_BYTES:
            return self.refuse(request, 413, gettext_noop("The request body is larger than 64 KiB."))
        if "\x00" in request.path_info or "\ufffd" in request.path_info:
            return self.refuse(request, 400, gettext_noop("The path is not valid."))
        try:
            request.get_host()
        except DisallowedHost:
            return self.refuse(request, 400, gettext_noop("This server does not answer to that host name."))
        return self.get_response(request)

    def refuse(self, request: HttpRequest, status: int, words: str) -> HttpResponse:
        if speaks_json(request):
            return json_response(OAuthError("invalid_request", words).as_json(), status)
        return HttpResponse(f"{gettext(words)}\n", status=status, content_type="text/plain; charset=utf-8")
