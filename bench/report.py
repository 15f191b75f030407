"""What was measured, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from bench.measuring import Measured
from bench.operations import Budget


def markdown(done: Sequence[Measured]) -> str:
    lines = [
        "| operation | CPU ms: min, median, max | of it database | statements | p50 | p95 | p99 | budget: statements, CPU ms |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in done:
        least, middle, most = one.spread(lambda repeat: repeat.cpu_milliseconds)
        database = one.spread(lambda repeat: repeat.database_cpu_milliseconds)[1]
        statements = one.spread(lambda repeat: repeat.statements)[1]
        latencies = [one.spread(figure)[1] for figure in (lambda r: r.p50, lambda r: r.p95, lambda r: r.p99)]
        budget = _budget(one.operation.budget)
        lines.append(
            f"| {one.operation.name} | {least:.2f}, **{middle:.2f}**, {most:.2f} | {database:.2f} | {statements:.2f} | "
            + " | ".join(f"{value:.1f}" for value in latencies)
            + f" | {budget} |"
        )
    return "\n".join(lines) + "\n"


def _budget(budget: Budget | None) -> str:
    if budget is None:
        return ""
    (first, then), (first_cpu, then_cpu) = budget.statements, budget.cpu_milliseconds
    return f"{first}, then {then}; {first_cpu}, then {then_cpu}"


def statements(one: Measured) -> str:
    """Each statement of an operation, and how many of it a request."""
    return "\n".join(f"  {share:6.2f}  {' '.join(text.split())[:200]}" for text, share in one.texts if share >= 0.005)
