"""One operation, several times over: what each repeat took of the processors, of the database, and of the caller's time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench import load
from bench.http import get
from bench.operations import Operation
from bench.target import ROOT, Target
from tests.harness import processes


@dataclass(frozen=True)
class Repeat:
    """Of one run of `requests` requests, each figure for one of them. Latencies in milliseconds."""

    requests: int
    cpu_milliseconds: float
    database_cpu_milliseconds: float
    statements: float
    p50: float
    p95: float
    p99: float
    requests_a_second: float


@dataclass(frozen=True)
class Measured:
    """`memory_mib` is the most that the server's processes held after a repeat, `texts` the statements sent and how many of
    each a request, the commonest first."""

    operation: Operation
    repeats: list[Repeat]
    memory_mib: float
    texts: list[tuple[str, float]]

    def spread(self, figure: Callable[[Repeat], float]) -> tuple[float, float, float]:
        """Least, median and most of the repeats."""
        values = [figure(repeat) for repeat in self.repeats]
        return min(values), median(values), max(values)

    @property
    def cpu(self) -> float:
        return self.spread(lambda repeat: repeat.cpu_milliseconds)[1]


def measure(target: Target, operation: Operation, *, requests: int, repeats: int) -> Measured:
    """After one repeat that does not count, so that nothing is done for the first time."""
    _once(target, operation, max(requests // 4, load.CONNECTIONS))
    done, memory, before = [], 0.0, dict(target.statements.by_text())
    for _ in range(repeats):
        done.append(_once(target, operation, requests * operation.times))
        memory = max(memory, target.memory_mib())
    count = sum(repeat.requests for repeat in done)
    after = target.statements.by_text()
    texts = [(text, (calls - before.get(text, 0)) / count) for text, calls in after if calls > before.get(text, 0)]
    return Measured(operation, done, memory, sorted(texts, key=lambda entry: -entry[1]))


def _once(target: Target, operation: Operation, count: int) -> Repeat:
    requests = operation.prepare(count)
    statements, (server, database) = target.statements.count(), target.cpu_milliseconds()
    result = load.drive(target.port, requests, expect=operation.expect)
    server_after, database_after = target.cpu_milliseconds()
    sent = target.statements.count() - statements
    operation.after(result.answers)
    own = database_after - database
    return Repeat(
        requests=len(requests),
        cpu_milliseconds=(server_after - server + own) / len(requests),
        database_cpu_milliseconds=own / len(requests),
        statements=sent / len(requests),
        p50=percentile(result.milliseconds, 50),
        p95=percentile(result.milliseconds, 95),
        p99=percentile(result.milliseconds, 99),
        requests_a_second=len(requests) / result.wall_seconds,
    )


@dataclass(frozen=True)
class Ceiling:
    """The most that the load generator gets from a server that does nothing; its own CPU time a request."""

    requests_a_second: float
    cpu_milliseconds: float


def ceiling(requests: int) -> Ceiling:
    """Against `bench.nothing`, on the same connections."""
    port = processes.free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.nothing", str(port)], cwd=ROOT, stdout=subprocess.PIPE,
        preexec_fn=processes.die_with_parent,
    )  # fmt: skip
    try:
        assert server.stdout is not None  # noqa: S101  # narrows the type
        server.stdout.readline()
        result = load.drive(port, [get("/")] * requests, expect=200)
    finally:
        processes.stop(server)
    return Ceiling(requests / result.wall_seconds, result.own_cpu_seconds * 1000 / requests)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of them do not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, len(ranked) * percent // 100)]
