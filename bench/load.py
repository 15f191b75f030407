"""The load generator: `python -m bench.load`, a process of its own. A job comes in on standard input, its result goes out.

A closed loop: each connection sends its next request when it has the answer to the last one. The requests are ready
bytes, and of an answer only the status, the length and what may be asked for afterwards are read: whatever the generator
costs, it costs the cores that the server runs on.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.http import Answer, Request, read_answer

CONNECTIONS = 8
TIMEOUT_SECONDS = 300


class LoadFailed(Exception):
    """The server closed a connection in the middle, or answered something else than it was to."""


@dataclass(frozen=True)
class Result:
    """Of one run: each answer's milliseconds, in order; the answers in the order of their requests; how long it took."""

    milliseconds: list[float]
    answers: list[Answer]
    wall_seconds: float
    own_cpu_seconds: float


def drive(port: int, requests: Sequence[Request], *, expect: int, connections: int = CONNECTIONS) -> Result:
    """Send all of them in a process of its own. Raises `LoadFailed` with the first answer that is not as expected."""
    job = {
        "port": port,
        "connections": min(connections, len(requests)),
        "requests": [request.encode(port).decode("latin-1") for request in requests],
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(job), capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        raise LoadFailed(done.stderr[-2000:])
    said = json.loads(done.stdout)
    answers = [Answer(*answer) for answer in said.pop("answers")]
    for answer in answers:
        if answer.status != expect:
            counted = Counter(one.status for one in answers)
            raise LoadFailed(f"{expect} was expected, {dict(counted)} came: {answer.location or answer.body[:500]}")
    return Result(answers=answers, **said)


class _Connection(asyncio.Protocol):
    """Takes the next request from `job` until there is none."""

    def __init__(self, job: _Job) -> None:
        self.job = job
        self.received = b""
        self.at, self.began = 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # narrows the type
        self.transport = transport
        self._next()

    def _next(self) -> None:
        self.at = self.job.taken
        if self.at == len(self.job.requests):
            self.job.idle(self)
            return
        self.job.taken += 1
        self.began = time.perf_counter()
        self.transport.write(self.job.requests[self.at])

    def data_received(self, data: bytes) -> None:
        self.received += data
        answer = read_answer(self.received)
        if answer is not None:
            self.job.milliseconds.append((time.perf_counter() - self.began) * 1000)
            self.job.answers[self.at] = answer
            self.received = b""
            self._next()

    def connection_lost(self, reason: Exception | None) -> None:
        self.job.lost(self, reason)


class _Job:
    def __init__(self, requests: list[bytes], done: asyncio.Future[None]) -> None:
        self.requests = requests
        self.taken = 0
        self.milliseconds: list[float] = []
        self.answers: list[Answer | None] = [None] * len(requests)
        self.done = done

    def idle(self, connection: _Connection) -> None:
        if len(self.milliseconds) == len(self.requests) and not self.done.done():
            self.done.set_result(None)

    def lost(self, connection: _Connection, reason: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(LoadFailed(f"a connection was closed in the middle: {reason}"))


async def _run(port: int, connections: int, requests: list[bytes]) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    job = _Job(requests, loop.create_future())
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(job), "127.0.0.1", port)
    await job.done
    return {
        "wall_seconds": time.perf_counter() - wall,
        "own_cpu_seconds": time.process_time() - cpu,
        "milliseconds": job.milliseconds,
        "answers": [(answer.status, answer.location, answer.body) for answer in job.answers if answer],
    }


def main() -> None:
    job = json.load(sys.stdin)
    requests = [text.encode("latin-1") for text in job["requests"]]
    json.dump(asyncio.run(_run(job["port"], job["connections"], requests)), sys.stdout)


if __name__ == "__main__":
    main()
