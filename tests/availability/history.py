"""What clients did and were told, in order of time: what `checker` judges.

    history = History()
    with history.operation("refresh", session="ada-0", person="Ada", sent=token) as operation:
        operation.answered(response)
    with history.fault("postgres"):            # what happens meanwhile may be answered with 503

Tokens are kept as the first characters of their hash: enough to tell them apart, and nothing to steal.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

OK = (200, 201)


@dataclass
class Operation:
    """One request, or one person's walk through the pages (`authorize`). Moments are seconds of the monotonic clock.

    `status` 0: nobody answered. `given` are the tokens of the answer by their names, `error` its OAuth error and, where
    there is one, the state behind it.
    """

    kind: str
    session: str
    person: str = ""
    sent: str = ""
    invoked_at: float = 0
    returned_at: float = 0
    status: int = 0
    error: str = ""
    says_when_to_retry: bool = False
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def took_effect(self) -> bool:
        return self.status in OK

    def answered(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.says_when_to_retry = "Retry-After" in response.headers
        try:
            body = response.json()
        except ValueError:
            return
        self.error = " ".join(str(body[name]) for name in ("error", "state") if name in body)
        tokens = ("access_token", "refresh_token")
        self.given = {name: fingerprint(body[name]) for name in tokens if name in body and self.took_effect}

    def __str__(self) -> str:
        moment = f"{self.invoked_at:.3f} to {self.returned_at:.3f}"
        return f"{self.kind} {self.sent} of {self.session} ({moment}): {self.status} {self.error}".rstrip()


@dataclass
class Fault:
    """What was away, from when until when. `loses_answers`: a process was killed in the middle of what it did."""

    name: str
    began_at: float
    ended_at: float = float("inf")
    loses_answers: bool = False


class History:
    """Filled by many threads at once."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.faults: list[Fault] = []
        self._lock = threading.Lock()

    @contextmanager
    def operation(self, kind: str, session: str, *, person: str = "", sent: str = "") -> Iterator[Operation]:
        """Recorded when it is over. A broken or missing answer is one of status 0."""
        operation = Operation(kind, session, person, fingerprint(sent) if sent else "")
        operation.invoked_at = time.monotonic()
        try:
            yield operation
        except httpx.TransportError as error:
            operation.status, operation.error = 0, type(error).__name__
        finally:
            operation.returned_at = time.monotonic()
            with self._lock:
                self.operations.append(operation)

    @contextmanager
    def fault(self, name: str, *, loses_answers: bool = False) -> Iterator[Fault]:
        fault = Fault(name, time.monotonic(), loses_answers=loses_answers)
        self.faults.append(fault)
        yield fault
        fault.ended_at = time.monotonic()

    def answers(self, kind: str, *, since: float = 0) -> list[int]:
        """The statuses of all operations of a kind that were invoked at or after a moment."""
        return [one.status for one in list(self.operations) if one.kind == kind and one.invoked_at >= since]


def fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:12]
