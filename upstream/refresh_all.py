"""Fresh tokens of one session at several providers: one that is broken, or slow, hides and delays no other.

What is fresh, dead or missing needs no call and is answered at once. What is due is refreshed side by side: each in a
thread with a database connection of its own, so that the slowest provider costs its own time-out and no more.
"""

from __future__ import annotations

import contextvars
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from django.db import connections

from accounts.vault.base import Entry
from upstream.errors import UpstreamError
from upstream.models import Provider
from upstream.refresh import Accept, Fresh, fresh_tokens, is_due

THREADS = 4
"""As many as the database pool has connections beside the workers' own (`settings.DATABASES`)."""

Outcome = Fresh | UpstreamError


@dataclass(frozen=True)
class Wanted:
    """A token at this provider with these scopes; `seen` is the session's entry there, where it has just been read."""

    provider: Provider
    scopes: tuple[str, ...]
    seen: Entry | None = None


def fresh_tokens_of_all(tsid: str, wanted: Sequence[Wanted], *, now: datetime, accept: Accept) -> list[Outcome]:
    """For each a token, or the `UpstreamError` that stands in its way, in order.

    Whatever `accept` raises, and the vault's `SessionGone`, end it all: they are about the session.
    """
    due = [one for one in wanted if one.seen is not None and is_due(one.seen, now)]
    if len(due) < 2:
        return [_outcome(tsid, one, now, accept) for one in wanted]

    def in_thread(one: Wanted) -> Outcome:
        try:
            return _outcome(tsid, one, now, accept)
        finally:
            connections.close_all()  # this thread's own; on PostgreSQL it goes back to the pool

    with ThreadPoolExecutor(min(len(due), THREADS), thread_name_prefix="refresh") as threads:
        begun = {id(one): threads.submit(contextvars.copy_context().run, in_thread, one) for one in due}
        return [begun[id(one)].result() if id(one) in begun else _outcome(tsid, one, now, accept) for one in wanted]


def _outcome(tsid: str, one: Wanted, now: datetime, accept: Accept) -> Outcome:
    try:
        return fresh_tokens(tsid, one.provider, now=now, wanted_scopes=one.scopes, accept=accept, seen=one.seen)
    except UpstreamError as error:
        return error
