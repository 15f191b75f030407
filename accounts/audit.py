"""The audit trail: append-only rows, and the log line that goes with each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.utils import timezone

from accounts import metrics
from accounts.models import AuditEvent
from accounts.prepared_writes import PreparedInsert

log = structlog.get_logger("audit")
_INSERT = PreparedInsert(AuditEvent)


@dataclass(frozen=True)
class Event:
    """One row to be. `event` is a dotted name such as `vault.release`; `outcome` is `ok`, `refused` or `failed`; `detail`
    holds small JSON values and never a token, code, secret or verifier."""

    event: str
    outcome: str = "ok"
    reason: str = ""
    actor: str = ""
    user_id: UUID | None = None
    client_id: str = ""
    tsid: str = ""
    resource: str = ""
    upstream: str = ""
    address: str | None = None
    receipt: UUID | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


def record(
    event: str,
    *,
    outcome: str = "ok",
    reason: str = "",
    actor: str = "",
    user_id: UUID | None = None,
    client_id: str = "",
    tsid: str = "",
    resource: str = "",
    upstream: str = "",
    address: str | None = None,
    receipt: UUID | None = None,
    now: datetime | None = None,
    **detail: Any,
) -> None:
    """Write one row, in one statement, before the answer it speaks of is sent. The arguments are `Event`'s."""
    row = Event(event, outcome, reason, actor, user_id, client_id, tsid, resource, upstream, address, receipt, detail)
    record_all([row], now=now)


def record_all(events: Sequence[Event], *, now: datetime | None = None) -> None:
    """The same for several, still in one statement: all of them or none."""
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    at = now or timezone.now()
    rows = [
        AuditEvent(
            at=at,
            request_id=request_id,
            **{**vars(event), "reason": event.reason[:255], "actor": event.actor[:255]},
        )
        for event in events
    ]
    _INSERT.save_all(rows)
    for event in events:
        metrics.AUDIT_EVENTS.count(event.event, event.outcome)
        known = {"client_id": event.client_id, "tsid": event.tsid, "upstream": event.upstream}
        log.info(
            event.event,
            outcome=event.outcome,
            reason=event.reason,
            user_id=str(event.user_id or ""),
            resource=event.resource,
            **{
                name: value for name, value in known.items() if value
            },  # what the request knows of itself stays otherwise
        )
