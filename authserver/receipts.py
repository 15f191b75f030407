"""What an ending did, and what it would do: read from the audit trail and the queue, written nowhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from accounts.models import AuditEvent, Revocation
from accounts.vault import vault
from authserver.models import RefreshToken
from upstream.revoke import providers_to_tell

MAX_PREVIEWED = 1000
"""Sessions that a preview looks into: with more, it says that there are more."""


@dataclass(frozen=True)
class Preview:
    """What ending these sessions would end besides: refresh tokens, credentials by provider, and those of them that the
    provider would be told of. Where `is_whole` is False there are more: the first `MAX_PREVIEWED` were looked into."""

    sessions: int
    refresh_tokens: int
    destroyed: dict[str, int]
    told: dict[str, int]
    is_whole: bool


def preview(tsids: Iterable[str], *, now: datetime) -> Preview:
    """Three statements, however many sessions, beside what finding them takes."""
    found = list(islice(tsids, MAX_PREVIEWED + 1))
    looked_into = found[:MAX_PREVIEWED]
    destroyed = dict(Counter(vault().sessions.would_destroy(looked_into, now=now)))
    telling = providers_to_tell()
    return Preview(
        sessions=len(looked_into),
        refresh_tokens=RefreshToken.objects.filter(tsid__in=looked_into, revoked=None).count(),
        destroyed=destroyed,
        told={provider: count for provider, count in destroyed.items() if provider in telling},
        is_whole=len(looked_into) == len(found),
    )


@dataclass(frozen=True)
class Kept:
    """A receipt: its steps in their order, and what providers are still to be told."""

    id: UUID
    steps: Sequence[AuditEvent]
    queued: Sequence[Revocation]

    @property
    def is_complete(self) -> bool:
        return not self.queued


def find(receipt: UUID, *, limit: int = 500) -> Kept | None:
    """The newest `limit` steps and queue entries; None for an unknown one."""
    steps = list(AuditEvent.objects.filter(receipt=receipt).order_by("-id")[:limit])[::-1]
    if not steps:
        return None
    waiting = Revocation.objects.filter(receipt=receipt, state=Revocation.State.QUEUED).order_by("due_at")
    return Kept(receipt, steps, list(waiting.defer("sealed_tokens")[:limit]))
