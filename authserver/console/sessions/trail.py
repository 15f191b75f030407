"""A session's part of the audit trail, its newest rows: who had tokens through it, what went wrong, what happened else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from accounts.models import AuditEvent
from authserver.console.trail import words

LOOKED_INTO = 2000
SHOWN = 20
RESOURCE_SERVER = "resource_server:"


class Row(NamedTuple):
    """The columns that are read, in their order."""

    id: int
    at: datetime
    event: str
    outcome: str
    reason: str
    actor: str
    upstream: str
    address: str | None
    receipt: UUID | None

    @property
    def words(self) -> str:
        return words.of_event(self.event) or self.event

    @property
    def result(self) -> str:
        said = words.of_outcome(self.outcome)
        return f"{said}: {self.reason}" if self.reason else said


@dataclass
class Exchanges:
    """What one resource server got of one upstream: how often, when last; and how often it got none, and why lately."""

    server: str
    upstream: str
    given: int = 0
    given_at: datetime | None = None
    failed: int = 0
    failed_at: datetime | None = None
    why: str = ""


@dataclass(frozen=True)
class Told:
    """`since` is the oldest row that was looked at, where there are older ones. `failures`: the newest by upstream."""

    exchanges: Sequence[Exchanges] = ()
    failures: dict[str, Row] = field(default_factory=dict)
    rows: Sequence[Row] = ()
    since: datetime | None = None


def of(tsid: str) -> Told:
    """One statement. Exchanges are summed up; the rows are what happened else."""
    own = AuditEvent.objects.filter(tsid=tsid).exclude(tsid="").order_by("-at", "-id")
    rows = [Row(*row) for row in own.values_list(*Row._fields)[: LOOKED_INTO + 1]]
    looked_into = rows[:LOOKED_INTO]
    exchanges: dict[tuple[str, str], Exchanges] = {}
    failures: dict[str, Row] = {}
    for row in looked_into:
        if row.upstream and row.outcome == "failed":
            failures.setdefault(row.upstream, row)
        if row.event == "vault.release":
            server = row.actor.removeprefix(RESOURCE_SERVER)
            _count(exchanges.setdefault((server, row.upstream), Exchanges(server, row.upstream)), row)
    others = [row for row in looked_into if row.event != "vault.release"]
    return Told(
        [exchanges[key] for key in sorted(exchanges)],
        failures,
        others[:SHOWN],
        looked_into[-1].at if len(rows) > LOOKED_INTO else None,
    )


def _count(exchange: Exchanges, row: Row) -> None:
    """From the newest to the oldest."""
    if row.outcome == "ok":
        exchange.given += 1
        exchange.given_at = exchange.given_at or row.at
    else:
        exchange.failed += 1
        exchange.failed_at, exchange.why = exchange.failed_at or row.at, exchange.why or row.reason


def granted(tsid: str) -> AuditEvent | None:
    """The approval that the session began with. One statement: it is the first that the trail says of the session."""
    first = AuditEvent.objects.filter(tsid=tsid).exclude(tsid="").order_by("at", "id").first()
    return first if first is not None and first.event == "authorization.granted" else None
