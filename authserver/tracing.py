"""One span a request, in the trace it belongs to, and where the spans go.

In the middleware for all: a person's steps are found by what the address names (a pending authorization, a state, a code), a
machine's by the `traceparent` that it sends (W3C Trace Context). A browser's `traceparent` is a stranger's, and not read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

from accounts import tracing
from authserver import codes
from authserver.metrics.middleware import endpoint_of
from authserver.middleware import Handler, speaks_json

UNTRACED = {"livez", "readyz", "other"}
MAX_TRACEPARENT = 64
_STACK = "_trace"

Step = Callable[[HttpRequest, Mapping[str, Any]], str]


def _of_code(request: HttpRequest, named: Mapping[str, Any]) -> str:
    code = request.POST.get("code", "") if request.content_type == "application/x-www-form-urlencoded" else ""
    return f"code:{codes.code_hash(code)}" if code else ""


def _of_state(request: HttpRequest, named: Mapping[str, Any]) -> str:
    state = request.GET.get("state", "")
    return f"visit:{hashlib.sha256(state.encode('utf-8', 'replace')).hexdigest()}"


STEPS: Mapping[str, Step] = {
    "authorize-continue": lambda request, named: f"pending:{named['pending_id']}",
    "callback": _of_state,
    "token": _of_code,
}


class Tracing:
    """Begins a span once the view is known, and ends it with the answer."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with ExitStack() as stack:
            setattr(request, _STACK, stack)
            response = self.get_response(request)
            say = getattr(request, "_say", None)
            if say is not None:
                say("http.response.status_code", response.status_code)
            return response

    def process_view(self, request: HttpRequest, view: object, args: object, named: Mapping[str, Any]) -> None:
        endpoint = endpoint_of(request)
        if endpoint in UNTRACED:
            return
        stack: ExitStack = getattr(request, _STACK)
        say = stack.enter_context(
            tracing.span(
                f"{request.method} {endpoint}",
                kind="server",
                parent=_parent(request, endpoint, named),
                endpoint=endpoint,
                request_id=getattr(request, "id", ""),
            )
        )
        say("http.request.method", request.method or "")
        setattr(request, "_say", say)  # noqa: B010  # a request has no such attribute of its own
        structlog.contextvars.bind_contextvars(**tracing.ids())


def _parent(request: HttpRequest, endpoint: str, named: Mapping[str, Any]) -> str:
    """The `traceparent` of the step before this one; empty where it is the first."""
    try:
        found = tracing.left(STEPS[endpoint](request, named)) if endpoint in STEPS else ""
    except Exception:  # a body that cannot be read: the view will say so
        found = ""
    given = request.META.get("HTTP_TRACEPARENT", "") if speaks_json(request) else ""
    return found or (given if len(given) <= MAX_TRACEPARENT else "")


def provider() -> Any:
    """OpenTelemetry's provider of tracers, set up by its usual variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`,
    `OTEL_TRACES_SAMPLER`): spans go out by OTLP over HTTP, in the background."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create()
    if str(resource.attributes.get("service.name", "")).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "authserver"}))
    made = TracerProvider(resource=resource)
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return made
