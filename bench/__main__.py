"""`./dev bench`: see docs/performance.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import operations, report
from bench.deployment import deployed
from bench.measuring import Measured, measure
from bench.target import Database

BROWSERS = 50


def say(message: str) -> None:
    sys.stderr.write(f"{message}\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short repeat: whether it works, not how fast it is")
    parser.add_argument("--only", action="append", default=[], metavar="OP", help="this operation; may be repeated")
    parser.add_argument(
        "--sessions", type=int, default=1000, metavar="N", help="in the database meanwhile (default: 1000)"
    )
    parser.add_argument("--requests", type=int, default=400, metavar="N", help="of each repeat (default: 400)")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every repeat of every operation, for comparing")
    parser.add_argument("--statements", action="store_true", help="what each operation sent to the database, too")
    options = parser.parse_args()
    if options.quick:
        options.requests, options.repeats = 40, 1
    return options


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="authserver-bench-") as directory:
        database = Database.start()
        with deployed(database, Path(directory)) as ours:
            rounds = options.repeats + 1
            ours.seed(sessions=options.sessions, used=options.requests * (rounds + 1), due=options.requests,
                      browsers=min(BROWSERS, options.requests))  # fmt: skip
            done: list[Measured] = []
            for operation in operations.of(ours):
                if options.only and operation.name not in options.only:
                    continue
                say(operation.name)
                done.append(measure(ours.target, operation, requests=options.requests, repeats=options.repeats))
                if options.statements:
                    say(report.statements(done[-1]))
            sys.stdout.write(report.markdown(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
