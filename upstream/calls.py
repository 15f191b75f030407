"""What an outbound call is for, as far as metrics and traces say it: an operation, and whose upstream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from accounts import metrics, tracing


@dataclass(frozen=True)
class Call:
    """`operation` is one of those that `metrics.UPSTREAM_CALLS` names; `upstream` a provider's name, empty for other people's
    servers."""

    operation: str
    upstream: str = ""


OTHER = Call("other")


class Measured:
    """What became of the call: a status, or the reason why there was none."""

    outcome = "failed"

    def answered(self, status: int) -> None:
        self.outcome = {2: "ok", 3: "redirected", 4: "refused"}.get(status // 100, "failed")


@contextmanager
def measured(call: Call) -> Iterator[Measured]:
    """Measure what is done inside, whatever comes of it."""
    began, result = time.perf_counter(), Measured()
    with tracing.span("upstream.call", kind="client", upstream=call.upstream, operation=call.operation) as say:
        try:
            yield result
        finally:
            say("authserver.outcome", result.outcome)
            metrics.UPSTREAM_CALLS.observe(time.perf_counter() - began, call.upstream, call.operation, result.outcome)
