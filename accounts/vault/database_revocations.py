"""The queue of what providers are still to be told, in the database. `DatabaseSessions` fills it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from accounts.models import Revocation
from accounts.vault.base import Damaged, Revocable
from accounts.vault.database_credentials import open_tokens
from accounts.vault.sealing import Sealing


class DatabaseRevocations:
    """Rows of `Revocation`."""

    def __init__(self, sealing: Sealing) -> None:
        self._sealing = sealing

    def claim(self, *, now: datetime, until: datetime, limit: int) -> Sequence[Revocable]:
        """Two statements. Whoever else claims meanwhile passes over what is locked here."""
        with transaction.atomic():
            due = Revocation.objects.filter(state=Revocation.State.QUEUED, due_at__lte=now).order_by("due_at")
            rows = list(due.select_for_update(skip_locked=True)[:limit])
            if rows:
                claimed = Revocation.objects.filter(id__in=[row.id for row in rows])
                claimed.update(due_at=until, attempts=F("attempts") + 1)
        return [opened for row in rows if (opened := self._open(row, now)) is not None]

    def finish(self, revocation_id: UUID, *, state: str, outcome: str, now: datetime) -> None:
        _queued(revocation_id).update(state=state, outcome=outcome[:64], finished_at=now, sealed_tokens="")

    def postpone(self, revocation_id: UUID, *, outcome: str, until: datetime) -> None:
        _queued(revocation_id).update(outcome=outcome[:64], due_at=until)

    def _open(self, row: Revocation, now: datetime) -> Revocable | None:
        try:
            tokens = open_tokens(self._sealing, row.id, row.user_id, row.provider, row.sealed_tokens, tsid=row.tsid)
        except Damaged:  # what did not open is kept as it is: the key may be what is wrong
            _queued(row.id).update(state=Revocation.State.FAILED, outcome="damaged", finished_at=now)
            return None
        return Revocable(
            row.id, row.user_id, row.provider, row.subject, row.tsid, row.attempts + 1, row.receipt, tokens
        )


def _queued(revocation_id: UUID) -> QuerySet[Revocation]:
    """What is finished stays as it ended."""
    return Revocation.objects.filter(id=revocation_id, state=Revocation.State.QUEUED)
