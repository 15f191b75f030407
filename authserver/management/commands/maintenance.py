"""`manage.py maintenance [--loop] [--interval SECONDS] [--metrics FILE]`: what has to be done from time to time."""

from __future__ import annotations

import time
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from accounts.vault import key_check
from accounts.vault.base import SealingUnavailable
from authserver.housekeeping import MINUTE, Step, steps
from authserver.housekeeping_loop import Ending, do, do_over_and_over
from authserver.housekeeping_metrics import MetricsFile
from authserver.models import MaintenanceRun

log = structlog.get_logger(__name__)

NOTE = "note of this run"


class Command(BaseCommand):
    help = (
        "End sessions that ran out, tell providers whose tokens are over, delete what is over. "
        "Any number of hosts may run it at once."
    )
    requires_system_checks = []  # it runs every few minutes; `manage.py check` has its own turn

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--loop", action="store_true", help="go on until SIGTERM or SIGINT, each step at its own pace"
        )
        parser.add_argument(
            "--interval",
            type=seconds,
            default=1,
            metavar="SECONDS",
            help="with --loop: do no step more often than this (default: each at its own pace)",
        )
        parser.add_argument(
            "--metrics",
            type=Path,
            metavar="FILE",
            help="keep what was done in this file too, in Prometheus' text format",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        check_vault_keys()
        self.metrics = metrics_file(options["metrics"])
        if options["loop"]:
            with Ending() as ending:
                self.stdout.write("maintenance: running until SIGTERM")
                self.stdout.flush()
                self.go_on(ending, options["interval"])
            self.stdout.write("maintenance: ended")
            return
        failed = [step.name for step in steps() if not do(step, self.say)]
        do(Step(NOTE, 0, 2, partial(_note, failed)), lambda step, done: None)
        if failed:
            raise CommandError("failed: " + ", ".join(failed))

    def go_on(self, ending: Ending, interval_seconds: float) -> None:
        """A key may be turned over meanwhile, and this process forgotten: with what it has it must not go on then."""
        failing: dict[str, None] = {}

        def report(step: Step, done: Counter[str] | None) -> None:
            if done is None:
                failing[step.name] = None
            else:
                failing.pop(step.name, None)
            self.say_if_any(step, done)

        note = Step(NOTE, 5 * MINUTE, 2, lambda limit: _note(list(failing), limit))
        try:
            do_over_and_over(
                [Step("vault keys", MINUTE, 1, _fit), *steps(), note],
                report,
                ending,
                interval_seconds=interval_seconds,
            )
        except key_check.KeysUnfit as error:
            raise CommandError(str(error)) from None

    def say(self, step: Step, done: Counter[str] | None) -> None:
        """One line a step."""
        self.count(step, done)
        if done is None:
            self.stderr.write(f"{step.name}: failed")
        else:
            self.stdout.write(f"{step.name}: {_in_words(done)}")
        self.stdout.flush()

    def say_if_any(self, step: Step, done: Counter[str] | None) -> None:
        """A loop that has nothing to do says nothing."""
        if done is None or done.total():
            self.say(step, done)
        else:
            self.count(step, done)

    def count(self, step: Step, done: Counter[str] | None) -> None:
        """A file that cannot be written stops nothing: the work matters more than its numbers."""
        if self.metrics is None:
            return
        self.metrics.count(step.name, done, now=time.time())
        try:
            self.metrics.write()
        except OSError as error:
            log.error("maintenance.metrics", outcome="failed", reason=type(error).__name__)


def check_vault_keys() -> None:
    """It renews and revokes what is sealed, as the server does: with keys that do not fit it does not begin either."""
    try:
        key_check.verify()
    except (key_check.KeysUnfit, SealingUnavailable) as error:
        raise CommandError(str(error)) from None
    except DatabaseError as error:
        raise CommandError(f"the database does not answer: {type(error).__name__}") from None


def metrics_file(path: Path | None) -> MetricsFile | None:
    """Tried before anything is done: a wrong path is told to whoever wrote it."""
    if path is None:
        return None
    try:
        metrics = MetricsFile(path)
        metrics.write()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--metrics {path}: {type(error).__name__}") from None
    return metrics


def _fit(limit: int) -> Counter[str]:
    key_check.verify()
    return Counter()


def _note(failed: list[str], limit: int) -> Counter[str]:
    """What `manage.py doctor` knows of us: one row, one UPDATE."""
    MaintenanceRun.objects.update_or_create(pk=1, defaults={"at": timezone.now(), "failed_steps": failed})
    return Counter()


def _in_words(done: Counter[str]) -> str:
    return ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in done.items() if count) or "nothing to do"


def seconds(given: str) -> float:
    """An argument of at least one second and at most a day."""
    try:
        value = float(given)
    except ValueError:
        value = 0
    if not 1 <= value <= 86400:
        raise ArgumentTypeError(f"{given!r} is not a number of seconds from 1 to 86400")
    return value
