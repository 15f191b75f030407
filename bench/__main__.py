"""What each operation costs the server, as docs/performance.md has it. The table goes to standard output."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import growth, operations, report
from bench.deployment import deployed
from bench.measuring import Measured, ceiling, measure
from bench.operations import Operation
from bench.peers import dot, oidc_provider
from bench.peers.flow import Unavailable
from bench.target import Database, Target

BROWSERS = 50
MANY_SESSIONS = 1_000_000
PURGED_ROWS = 100_000


def say(message: str) -> None:
    sys.stderr.write(f"{message}\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short repeat: whether it works, not how fast it is")
    parser.add_argument("--only", action="append", default=[], metavar="OP", help="this operation; may be repeated")
    parser.add_argument("--sessions", type=int, default=1000, metavar="N", help="in the database (default: 1000)")
    parser.add_argument("--requests", type=int, default=400, metavar="N", help="of each repeat (default: 400)")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--peers", action="store_true", help="django-oauth-toolkit and oidc-provider as well")
    parser.add_argument("--growth", action="store_true", help=f"at {MANY_SESSIONS:,} sessions as well, and the purges")
    parser.add_argument("--stores", action="store_true", help="the vault's hot steps, and the same in Redis")
    parser.add_argument("--statements", action="store_true", help="what each operation sent to the database, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every repeat of every operation, for comparing")
    options = parser.parse_args()
    if options.quick:
        options.requests, options.repeats, options.sessions = 40, 1, min(options.sessions, 100)
    return options


def write(table: str) -> None:
    """At once: what comes after it may take an hour."""
    sys.stdout.write(table)
    sys.stdout.flush()


class Run:
    """One call of the benchmark: its options, and what was measured of whom."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.measured: dict[str, list[Measured]] = {}

    def operate(self, target: Target, choice: Sequence[Operation], *, requests: int) -> None:
        done = self.measured.setdefault(target.name, [])
        for operation in choice:
            if self.options.only and operation.name not in self.options.only:
                continue
            say(f"{target.name}: {operation.name}")
            done.append(measure(target, operation, requests=requests, repeats=self.options.repeats))
            if self.options.statements:
                say(report.statements(done[-1]))


def main() -> int:
    options = arguments()
    run = Run(options)
    with tempfile.TemporaryDirectory(prefix="authserver-bench-") as directory:
        database = Database.start()
        most = ceiling(options.requests * 5)
        with deployed(database, Path(directory)) as ours:
            ours.seed(sessions=options.sessions, used=options.requests * (options.repeats + 2), due=options.requests,
                      browsers=min(BROWSERS, options.requests))  # fmt: skip
            run.operate(ours.target, operations.of(ours), requests=options.requests)
            write(report.markdown(run.measured[ours.target.name]))
            write(report.surroundings(ours.target, run.measured[ours.target.name], most))
            if options.stores:
                write(report.stores(json.loads(ours.run("-m", "bench.stores", str(options.requests)))))
            if options.growth:
                few = list(growth.operate(ours, sessions=options.sessions, requests=options.requests,
                                          repeats=options.repeats))  # fmt: skip
                say(f"seeding {MANY_SESSIONS:,} sessions")
                many = list(growth.operate(ours, sessions=MANY_SESSIONS, requests=options.requests,
                                           repeats=options.repeats))  # fmt: skip
                write(report.growth(few, many, growth.purge(ours, rows=PURGED_ROWS)))
        if options.peers:
            for deploy in (dot.deployed, oidc_provider.deployed):
                try:
                    with deploy(database, Path(directory)) as peer:
                        run.operate(peer.target, peer.operations(), requests=max(20, options.requests // peer.fewer))
                except Unavailable as reason:
                    say(str(reason))
            write(report.ratios(run.measured))
    if options.json:
        options.json.write_text(report.as_json(run.measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
