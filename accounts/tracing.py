"""Traces, where an operator wants them: the few calls of ours that know of OpenTelemetry. Off, they do nothing.

`settings.TRACING` is the dotted path of what gives the tracer's provider, empty for off; the packages are an extra
(`requirements-otel.txt`) and are imported by nobody but this module and that provider. An attribute is one of a fixed list
of names and never a secret: no URL, no header, no exception's text.

A person's way goes through many requests, and through other people's servers, who are given nothing of this. So a step
leaves its place in the trace under a name that the next one can find (`leave`), in the shared cache, for as long as
anybody may take. Without it the next step is a trace of its own, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.core.cache import cache as shared
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from opentelemetry.trace import Span

ATTRIBUTES = frozenset({
    "authserver.upstream", "authserver.operation", "authserver.outcome", "authserver.request_id", "authserver.endpoint",
    "http.request.method", "http.response.status_code", "error.type",
})  # fmt: skip
LEFT_SECONDS = 900
"""As long as a person may take over one approval."""

Set = Callable[[str, str | int], None]


def is_on() -> bool:
    return bool(settings.TRACING)


@contextmanager
def span(name: str, *, kind: str = "internal", parent: str = "", **attributes: str | int) -> Iterator[Set]:
    """A step of a trace, and how to say more of it. `parent` is a `traceparent` (W3C Trace Context), else it is whatever is
    under way; an argument `upstream` is the attribute `authserver.upstream`."""
    if not is_on():
        yield lambda name, value: None
        return
    from opentelemetry import trace

    kinds = {"internal": trace.SpanKind.INTERNAL, "server": trace.SpanKind.SERVER, "client": trace.SpanKind.CLIENT}
    with _tracer().start_as_current_span(
        name,
        _context(parent),
        kinds[kind],
        record_exception=False,  # its text may hold a secret
        set_status_on_exception=False,
    ) as current:
        for attribute, value in attributes.items():
            _set(current, f"authserver.{attribute}", value)
        try:
            yield lambda attribute, value: _set(current, attribute, value)
        except BaseException as error:  # whatever it is, it goes on its way
            _set(current, "error.type", type(error).__name__)
            current.set_status(trace.StatusCode.ERROR)
            raise


def leave(what: str, *, seconds: float = LEFT_SECONDS) -> None:
    """Where we are now, for the step that will know the same `what`."""
    if is_on() and (here := current()):
        try:
            shared.set(_key(what), here, seconds)
        except Exception as error:  # each cache has its own; a trace may be torn
            structlog.get_logger(__name__).warning("trace not left", error=type(error).__name__)


def left(what: str) -> str:
    """The `traceparent` that was left under this name; empty for none."""
    if not is_on():
        return ""
    try:
        return str(shared.get(_key(what)) or "")
    except Exception:  # as in `leave`
        return ""


def link(what: str) -> None:
    """Say that what is under way goes back to the step that left this, which is not its parent."""
    if not is_on() or not (there := left(what)):
        return
    from opentelemetry import trace

    trace.get_current_span().add_link(trace.get_current_span(_context(there)).get_span_context())


def current() -> str:
    """The `traceparent` of what is under way; empty for none."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")


def ids() -> Mapping[str, str]:
    """How a log line names what is under way."""
    version, trace_id, span_id, *_ = (*current().split("-"), "", "", "")
    return {"trace_id": trace_id, "span_id": span_id} if version else {}


def _context(traceparent: str) -> Any:
    """OpenTelemetry's context; one that cannot be read is none, and then the trace begins here."""
    if not traceparent:
        return None
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())


def _set(span: Span, name: str, value: str | int) -> None:
    if name not in ATTRIBUTES:
        raise ValueError(f"{name} is no attribute that a span may have")
    span.set_attribute(name, value)


def _key(what: str) -> str:
    return f"trace:{what}"


@cache
def _tracer() -> Any:
    """Made by the first request and so after gunicorn's fork: it sends from a thread of its own."""
    return import_string(settings.TRACING)().get_tracer("authserver")
