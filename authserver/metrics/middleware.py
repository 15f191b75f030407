"""Measures every request, and answers `/metrics`.

Here and not in `authserver.urls`, because a scraper asks for an address of its own making (`10.0.3.7:8000`), which no later
middleware would let pass as a host of ours; nothing in this answer is made of it.
"""

from __future__ import annotations

import time

from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from accounts import metrics
from authserver.conf import load
from authserver.metrics import directory, pool
from authserver.metrics.access import may_read
from authserver.metrics.readings import readings
from authserver.middleware import Handler

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
CONSOLE, OTHER = "console", "other"


class Metrics:
    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self.path = f"/{load().path}/metrics" if load().path else "/metrics"

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info == self.path and request.method in {"GET", "HEAD"} and may_read(request):
            return exposition()
        began = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - began
        metrics.HTTP.observe(seconds, endpoint_of(request), f"{response.status_code // 100}xx")
        pool.note()
        return response


def endpoint_of(request: HttpRequest) -> str:
    """Its name in `authserver.urls`, the console as a whole; `other` is what is not there, and static files."""
    match = request.resolver_match
    if match is None:
        return OTHER
    if match.namespaces[:1] == ["admin"]:
        return CONSOLE
    return str(match.url_name or getattr(match.func, "__name__", OTHER))


def exposition() -> HttpResponse:
    """What all workers have counted, and what is true now."""
    readings.refresh()
    registry = CollectorRegistry()
    if directory.is_used():
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(metrics.REGISTRY)
    registry.register(readings)
    response = HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE)
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
