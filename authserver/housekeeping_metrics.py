"""What maintenance did, as numbers for Prometheus: a file in its text format (version 0.0.4), for a collector that reads
files, such as node_exporter's `textfile`. Maintenance serves no HTTP, and a run from a timer is gone when it is scraped.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

DONE, FAILURES, SUCCEEDED = (
    f"authserver_maintenance_{name}" for name in ("done_total", "failures_total", "last_success_timestamp_seconds")
)
FAMILIES = {
    DONE: ("counter", "What a step did: rows deleted, sessions ended, tokens revoked."),
    FAILURES: ("counter", "How often a step failed."),
    SUCCEEDED: ("gauge", "When a step last succeeded, in seconds since 1970."),
}
MAX_BYTES = 100_000  # ours has some 6,000
_SAMPLE = re.compile(r'^(\w+)\{step="([a-z -]+)"(?:,what="([a-z_]+)")?\} ([0-9.]+)$', re.MULTILINE)

Sample = tuple[str, str, str]
"""Family, step, and what was done or nothing."""


class MetricsFile:
    """Counters go on from what the file says: each run of a timer is a new process, and Prometheus would take equal
    numbers of two runs for one."""

    def __init__(self, path: Path) -> None:
        """Reads the file if there is one; OSError where it cannot be read."""
        self.path = path
        self.samples: dict[Sample, float] = {}
        if path.exists():
            with path.open() as file:
                for family, step, what, value in _SAMPLE.findall(file.read(MAX_BYTES)):
                    if family in FAMILIES and value.count(".") < 2:
                        self.samples[family, step, what] = float(value)

    def count(self, step: str, done: Counter[str] | None, *, now: float) -> None:
        """`done` as a step reports it: None where it failed. `now` in seconds since 1970."""
        self._add(FAILURES, step, "", int(done is None))
        if done is not None:
            self.samples[SUCCEEDED, step, ""] = now
            for what, count in done.items():
                self._add(DONE, step, what, count)

    def write(self) -> None:
        """Beside the file and renamed over it: nobody reads half of one. OSError where it cannot be written."""
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        beside.write_text(self.text())
        beside.replace(self.path)

    def text(self) -> str:
        lines = []
        for family, (kind, says) in FAMILIES.items():
            lines += [f"# HELP {family} {says}", f"# TYPE {family} {kind}"]
            lines += [_line(sample, value) for sample, value in sorted(self.samples.items()) if sample[0] == family]
        return "\n".join(lines) + "\n"

    def _add(self, family: str, step: str, what: str, count: float) -> None:
        sample = (family, step, what)
        self.samples[sample] = self.samples.get(sample, 0) + count


def _line(sample: Sample, value: float) -> str:
    family, step, what = sample
    labels = f'step="{step}"' + (f',what="{what}"' if what else "")
    return f"{family}{{{labels}}} {value:.0f}"
