"""Counting the trail's hours, so that a chart of a month need not read it: one row an hour that is over.

`maintenance` counts on every host. Whoever comes second counts the same and writes nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Q

from accounts.models import AuditEvent, AuditTally

HOUR = timedelta(hours=1)
LOOKED_BACK = timedelta(days=31)
"""How far back a first run counts, and how long a tally stays: older hours are in no chart."""
SETTLED = timedelta(minutes=5)
"""After its end an hour is counted: by then whoever wrote an event has committed it, on a host with a slow clock too."""

SIGN_INS = Q(event="upstream.sign_in", outcome="ok")
EXCHANGES = Q(event="vault.release", outcome="ok")
_EVENTS = ("upstream.sign_in", "vault.release")


def hour_of(moment: datetime) -> datetime:
    """The beginning of its hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def count_hours(*, now: datetime, limit: int) -> int:
    """Count the next hours that are over, `limit` at most, each in one statement along an index; how many."""
    begins = _next_hour(now)
    end = hour_of(now - SETTLED)
    rows: list[AuditTally] = []
    while begins is not None and begins < end and len(rows) < limit:
        counts = AuditEvent.objects.filter(event__in=_EVENTS, at__gte=begins, at__lt=begins + HOUR).aggregate(
            sign_ins=Count("id", filter=SIGN_INS), exchanges=Count("id", filter=EXCHANGES)
        )
        rows.append(AuditTally(hour=begins, **counts))
        begins += HOUR
    AuditTally.objects.bulk_create(rows, ignore_conflicts=True)
    AuditTally.objects.filter(hour__lt=hour_of(now - LOOKED_BACK)).delete()
    return len(rows)


def _next_hour(now: datetime) -> datetime | None:
    """The first that has no row; None while nothing has happened yet."""
    last = AuditTally.objects.order_by("-hour").values_list("hour", flat=True).first()
    if last is None:
        last = AuditEvent.objects.order_by("at").values_list("at", flat=True).first()
        if last is None:
            return None
        return max(hour_of(last), hour_of(now - LOOKED_BACK))
    return max(last + HOUR, hour_of(now - LOOKED_BACK))
