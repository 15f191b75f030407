"""Doing the steps of housekeeping: once, or over and over until the process is asked to end."""

from __future__ import annotations

import os
import select
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Self

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections

from accounts.vault.key_check import KeysUnfit
from authserver.housekeeping import Step

log = structlog.get_logger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)
Report = Callable[[Step, Counter[str] | None], None]
"""Told of each step that was done: what it did, None where it failed."""


class Ending:
    """Whether the process was asked to end, and a sleep that is cut short when it is.

    A pipe, because nothing with a lock in it may be touched from a signal handler.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        self._before = {number: signal.signal(number, self._ask) for number in SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def __call__(self) -> bool:
        return self.asked

    def sleep(self, seconds: float) -> None:
        select.select([self._reader], [], [], max(seconds, 0))

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            self.asked = True
            os.write(self._writer, b"!")


def do(step: Step, report: Report, *, enough: Callable[[], bool] = lambda: False) -> bool:
    """Do one step, and say how it went. One that fails stops no other; only keys that do not fit stop everything."""
    try:
        done = step.run(enough=enough)
    except KeysUnfit:
        raise
    except Exception as error:
        if isinstance(error, OperationalError | InterfaceError):  # the database is away: where, says nothing
            log.error("maintenance", step=step.name, outcome="failed", reason=type(error).__name__)
        else:
            log.exception("maintenance", step=step.name, outcome="failed", reason=type(error).__name__)
        report(step, None)
        return False
    finally:
        close_old_connections()  # to the pool, or for good where it broke
    report(step, done)
    return True


def do_over_and_over(steps: Sequence[Step], report: Report, ending: Ending, *, interval_seconds: float) -> None:
    """Each step at its own pace, and none more often than `interval_seconds`, until `ending`."""
    due = [time.monotonic()] * len(steps)
    while not ending():
        for index, step in enumerate(steps):
            if ending():
                break
            if due[index] <= time.monotonic():
                do(step, report, enough=ending)
                due[index] = time.monotonic() + max(step.every_seconds, interval_seconds)
        else:
            ending.sleep(min(due) - time.monotonic())
