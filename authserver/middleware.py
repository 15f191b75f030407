"""What every request passes first: a request id, and the refusal of what no endpoint can want."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

Handler = Callable[[HttpRequest], HttpResponse]


class RequestId:
    """Gives each request an id of ours, on every log line, audit row and error page, and in `X-Request-ID`."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = uuid.uuid4().hex
        request.id = request_id  # type: ignore[attr-defined]  # ours
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class EdgeGuard:
    """Refuses what no endpoint can want, before anything parses it: oversized bodies, NUL and bad UTF-8 in the path."""

    MAX_BODY_BYTES = 64 * 1024

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdigit() or int(length) > self.MAX_BODY_BYTES:
            return HttpResponse("The request body is too large.\n", status=413, content_type="text/plain")
        if "\x00" in request.path_info or "�" in request.path_info:
            return HttpResponse("The path is not valid.\n", status=400, content_type="text/plain")
        return self.get_response(request)
