"""A person's part of the audit trail, the newest first: along the index `audit_user`, a bounded piece at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from accounts.models import AuditEvent
from authserver.account.events import address_of, in_words
from authserver.account.names import Names, names_of

LOOKED_INTO = 300
"""How far back a page looks to say when a server last used a connection."""
PAGE = 100
FIELDS = ("id", "at", "event", "outcome", "reason", "actor", "client_id", "resource", "upstream", "address", "detail")


@dataclass
class Happening:
    """What happened, in a sentence. `times` in a row without anything else between, `first_at` and `at` if more than one."""

    words: str
    at: datetime
    first_at: datetime
    address: str
    is_bad: bool
    times: int = 1


@dataclass(frozen=True)
class Page:
    """`older_than` leads to the next page; None on the last one."""

    happenings: Sequence[Happening]
    older_than: int | None


def newest(user_id: UUID, *, limit: int, before: int | None = None) -> list[AuditEvent]:
    """One statement."""
    own = AuditEvent.objects.filter(user_id=user_id)
    own = own if before is None else own.filter(pk__lt=before)
    return list(own.only(*FIELDS).order_by("-id")[:limit])


def page(user_id: UUID, *, before: int | None = None) -> Page:
    """Four statements."""
    events = newest(user_id, limit=PAGE + 1, before=before)
    shown = events[:PAGE]
    more = shown[-1].pk if len(events) > PAGE else None
    return Page(told(shown, names_in(shown)), more)


def names_in(events: Iterable[AuditEvent]) -> Names:
    known = list(events)
    return names_of(
        {event.client_id for event in known}, {event.resource for event in known}, {event.upstream for event in known}
    )


def told(events: Iterable[AuditEvent], names: Names, *, limit: int = PAGE) -> list[Happening]:
    """The events that say something to the person, the same in a row as one."""
    found: list[Happening] = []
    for event in events:
        words = in_words(event, names)
        if not words:
            continue
        address = address_of(event)
        if found and (found[-1].words, found[-1].address) == (words, address):
            found[-1].times += 1
            found[-1].first_at = event.at
        elif len(found) == limit:
            break
        else:
            found.append(Happening(words, event.at, event.at, address, event.outcome != "ok"))
    return found


def last_releases(events: Iterable[AuditEvent]) -> dict[tuple[str, str, str], datetime]:
    """When a token of (provider, client, resource) was last given out, in these events, the newest first."""
    found: dict[tuple[str, str, str], datetime] = {}
    for event in events:
        if event.event == "vault.release" and event.outcome == "ok":
            found.setdefault((event.upstream, event.client_id, event.resource), event.at)
    return found
