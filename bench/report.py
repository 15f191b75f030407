"""What was measured, as tables for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from bench.growth import Purge
from bench.measuring import Ceiling, Measured
from bench.operations import Budget
from bench.target import Target


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


def surroundings(target: Target, done: Sequence[Measured], most: Ceiling) -> str:
    """What belongs to the run and to no operation."""
    memory = max((one.memory_mib for one in done), default=target.memory_mib())
    return (
        f"\nStart {target.start_seconds:.1f} s. Memory {memory:.0f} MiB (PSS, all processes of the server). The load generator "
        f"alone: {most.requests_a_second:.0f} requests a second, {most.cpu_milliseconds:.2f} CPU ms each.\n"
    )


def growth(few: Sequence[Measured], many: Sequence[Measured], purged: Purge) -> str:
    """Cost at many sessions, held against that at few; and of maintenance."""
    lines = ["", "| operation | CPU ms at few sessions | at many | ratio |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {one.operation.name} | {one.cpu:.2f} | {other.cpu:.2f} | {other.cpu / one.cpu:.2f} |"
        for one, other in zip(few, many, strict=True)
    ]
    lines.append(
        f"\nMaintenance over {purged.rows:,} old codes: {purged.cpu_milliseconds:.3f} CPU ms a row, "
        f"{purged.seconds:.0f} s in all."
    )
    return "\n".join(lines) + "\n"


def ratios(measured: Mapping[str, Sequence[Measured]]) -> str:
    """The first server's CPU time to that of each other, where both have the operation."""
    (_, ours), *peers = measured.items()
    lines = ["", "| operation | peer | CPU ms of the peer | ours to it |", "| --- | --- | --- | --- |"]
    for name, theirs in peers:
        costs = {one.operation.name: one.cpu for one in theirs}
        lines += [
            f"| {one.operation.name} | {name} | {costs[one.operation.name]:.2f} | {one.cpu / costs[one.operation.name]:.3f} |"
            for one in ours
            if costs.get(one.operation.name)
        ]
    return "\n".join(lines) + "\n"


def stores(measured: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """What `bench.stores` found: a row a step and store."""
    lines = [
        "",
        "| step | store | CPU ms | of it the store's | p50 ms | p99 ms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    steps = list(next(iter(measured.values())))
    lines += [
        f"| {step} | {store} | " + " | ".join(f"{value:.3f}" for value in found[step]) + " |"
        for step in steps
        for store, found in measured.items()
    ]
    return "\n".join(lines) + "\n"


def as_json(measured: Mapping[str, Sequence[Measured]]) -> str:
    """Server, operation, and its repeats in order."""
    document = {
        name: {one.operation.name: [asdict(repeat) for repeat in one.repeats] for one in done}
        for name, done in measured.items()
    }
    return json.dumps(document, indent=2) + "\n"
