"""Fresh tokens of one session at several providers: one that is broken, or slow, hides and delays no other.

What is fresh, dead or missing needs no call and is answered at once. What is due is refreshed side by side: each in a
thread of its own, so that the slowest provider costs its own time-out and no more.
"""

from __future__ import annotations

import contextvars
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from django.db import connections

from accounts.vault.base import Entries, Entry
from upstream.errors import NeedsReauthorization, NotConnected, UpstreamError
from upstream.models import Provider
from upstream.refresh import Accept, Clock, Fresh, fresh_tokens, going_on, is_due

THREADS = 4
"""For one session. Each takes a connection of the database pool to read or write, and has none while it waits."""

Outcome = Fresh | UpstreamError


@dataclass(frozen=True)
class Wanted:
    """A token at this provider with these scopes."""

    provider: Provider
    scopes: tuple[str, ...]


def fresh_tokens_of_all(
    tsid: str, wanted: Sequence[Wanted], *, now: datetime, accept: Accept, seen: Entries | None = None
) -> list[Outcome]:
    """For each a token, or the `UpstreamError` that stands in its way, in order.

    `seen` is the whole session as it was just read: then only what is due costs a statement. Whatever `accept` raises,
    and the vault's `SessionGone`, end it all: they are about the session.
    """
    clock = going_on(now)  # one for all: whoever has to wait for a thread must not take its lease in the past
    if seen is None:
        return [_outcome(tsid, one, clock, accept, None) for one in wanted]
    accept(seen.session)
    entries = [seen.by_provider.get(one.provider.name) for one in wanted]
    due = [entry for entry in entries if entry is not None and is_due(entry, now)]
    side_by_side = due if len(due) > 1 else []
    with ThreadPoolExecutor(min(len(due), THREADS) or 1, thread_name_prefix="refresh") as threads:
        outcomes: list[Outcome | Future[Outcome]] = []
        for one, entry in zip(wanted, entries, strict=True):
            if entry is None:
                outcomes.append(_absent(one, seen))
            elif entry in side_by_side:
                context = contextvars.copy_context()  # the request's id stays on what is logged and audited
                outcomes.append(threads.submit(context.run, _in_thread, tsid, one, clock, accept, entry))
            else:
                outcomes.append(_outcome(tsid, one, clock, accept, entry))
        return [outcome.result() if isinstance(outcome, Future) else outcome for outcome in outcomes]


def _absent(one: Wanted, seen: Entries) -> UpstreamError:
    name = one.provider.name
    if name in seen.damaged:  # the vault has said so, loudly; a new sign-in is what mends it
        return NeedsReauthorization("damaged", provider=name)
    return NotConnected("not_connected", provider=name)


def _in_thread(tsid: str, one: Wanted, clock: Clock, accept: Accept, entry: Entry) -> Outcome:
    try:
        return _outcome(tsid, one, clock, accept, entry)
    finally:
        connections.close_all()  # this thread's own; on PostgreSQL it goes back to the pool


def _outcome(tsid: str, one: Wanted, clock: Clock, accept: Accept, seen: Entry | None) -> Outcome:
    try:
        return fresh_tokens(tsid, one.provider, now=clock, wanted_scopes=one.scopes, accept=accept, seen=seen)
    except UpstreamError as error:
        return error
