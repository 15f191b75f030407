"""The audit trail: append-only rows, and the log line that goes with each."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.utils import timezone

from accounts.models import AuditEvent

log = structlog.get_logger("audit")


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
    now: datetime | None = None,
    **detail: Any,
) -> None:
    """Write one row, in one statement, before the answer it speaks of is sent.

    `event` is a dotted name such as `vault.release`; `outcome` is `ok`, `refused` or `failed`; `detail` holds small
    JSON values and never a token, code, secret or verifier.
    """
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    AuditEvent.objects.create(
        at=now or timezone.now(),
        event=event,
        outcome=outcome,
        reason=reason[:255],
        actor=actor[:255],
        user_id=user_id,
        client_id=client_id,
        tsid=tsid,
        resource=resource,
        upstream=upstream,
        address=address,
        request_id=request_id,
        detail=detail,
    )
    log.info(
        event,
        outcome=outcome,
        reason=reason,
        user_id=str(user_id or ""),
        client_id=client_id,
        tsid=tsid,
        resource=resource,
        upstream=upstream,
    )
