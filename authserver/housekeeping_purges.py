"""Rows that are over and may go: which, how long after their end, in bounded batches.

The trail and the history stay, unless the operator's `retention` says for how long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction

from accounts.models import AuditEvent, BrowserSession, Revocation, TokenSession
from authserver import policy, refusals
from authserver.models import (
    AccessToken,
    ApprovalRequest,
    Grant,
    InitialAccessToken,
    PendingAuthorization,
    PendingConnection,
    RefreshToken,
    Refusal,
    UsedAssertion,
)
from upstream.models import Visit

KEPT = timedelta(days=1)
"""A code that comes again, or a `connect_url` used before, is known for what it is; and an operator can still look."""
RECEIPTS_KEPT = timedelta(days=90)


@dataclass(frozen=True)
class Purge:
    """The rows of `model` that were over, by the column `ended_at`, for as long as `kept`. No other row refers to one."""

    what: str
    model: type[models.Model]
    ended_at: str
    kept: timedelta = KEPT

    def batch(self, *, now: datetime, limit: int) -> int:
        """Delete `limit` rows at most, the oldest first, in two statements; how many. What another is deleting is left
        to it."""
        manager = self.model._default_manager
        with transaction.atomic():
            over = self._over(manager, now).order_by(self.ended_at)
            keys = list(over.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
            if keys:  # one DELETE: `QuerySet.delete` would fetch the rows first, to look for what hangs on them
                rows = manager.filter(pk__in=keys)
                rows._raw_delete(rows.db)
        return len(keys)

    def _over(self, manager: models.Manager[Any], now: datetime) -> models.QuerySet[Any]:
        return manager.filter(**{f"{self.ended_at}__lte": now - self.kept})


@dataclass(frozen=True)
class BoundedPurge(Purge):
    """And no more than about `most` rows, however young: told by their numbers, which is no count."""

    most: int = 0

    def _over(self, manager: models.Manager[Any], now: datetime) -> models.QuerySet[Any]:
        newest: int = manager.order_by("-pk").values_list("pk", flat=True).first() or 0
        return manager.filter(
            models.Q(**{f"{self.ended_at}__lte": now - self.kept}) | models.Q(pk__lte=newest - self.most)
        )


@dataclass(frozen=True)
class History:
    """Rows that are kept for as long as the section `retention` of the configuration says under `section`."""

    what: str
    section: str
    purge: Purge

    def batch(self, *, now: datetime, limit: int) -> int:
        """As a purge's; nothing where they are kept for ever."""
        seconds: int = getattr(policy.current().retention, self.section)
        return replace(self.purge, kept=timedelta(seconds=seconds)).batch(now=now, limit=limit) if seconds else 0


HISTORIES: Sequence[History] = (
    History("audit trail", "audit", Purge("audit trail", AuditEvent, "at")),
    History("ended token sessions", "sessions", Purge("ended token sessions", TokenSession, "closed_at")),
)

PURGES: Sequence[Purge] = (
    Purge("pending authorizations", PendingAuthorization, "expires_at"),
    Purge("requests for approval", ApprovalRequest, "expires_at"),
    Purge("pending connections", PendingConnection, "expires_at"),
    Purge("visits to providers", Visit, "expires_at"),
    Purge("browser sessions", BrowserSession, "expire_date"),
    Purge("authorization codes", Grant, "expires"),
    Purge("ended access tokens", AccessToken, "expires"),
    Purge("refresh tokens", RefreshToken, "expires_at"),
    Purge("used client assertions", UsedAssertion, "expires_at"),
    Purge("initial access tokens", InitialAccessToken, "expires_at"),
    BoundedPurge("refused requests", Refusal, "at", refusals.KEPT, most=refusals.MOST_KEPT),
    Purge("receipts of revocations", Revocation, "finished_at", RECEIPTS_KEPT),
)
