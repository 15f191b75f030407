"""What the first page knows, read from the database in a fixed number of statements and kept for half a minute.

No statement counts a table: the numbers stop at a bound, the charts read tallies (`accounts.tallies`) and only what is
younger than those from the trail. Nothing here depends on who looks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core import checks
from django.db.models import Count, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.models import AuditEvent, AuditTally, Credential, Revocation, TokenSession, User
from accounts.tallies import EXCHANGES, HOUR, SIGN_INS, hour_of
from authserver.conf import load
from authserver.console.home.bounded import Bounded
from authserver.console.home.health import Upstream, upstreams
from authserver.models import App, ApprovalRequest, SigningKey

KEPT_SECONDS = 30
CHECKS_KEPT_SECONDS = 600
DAYS = 30
LIVE_HOURS = 24
"""How far back the trail itself is read where nobody has counted."""
LIVE_ROWS = 50_000
FAILED_LATELY = timedelta(days=7)

Tally = tuple[int, int]
"""Sign-ins and exchanges of one hour."""


@dataclass(frozen=True)
class Facts:
    """`hours` by their beginning; `known_since` is when they begin to be complete, `counted_until` the end of the last
    one that `maintenance` has counted, None if there is none. `trail_begins` is read only where that is so."""

    at: datetime
    live_sessions: Bounded
    exchanges: Bounded
    waiting_apps: Bounded
    dead_credentials: Bounded
    failed_revocations: Bounded
    upstreams: Sequence[Upstream]
    hours: Mapping[datetime, Tally]
    known_since: datetime
    counted_until: datetime | None
    trail_begins: datetime | None
    active_key: SigningKey | None
    first_administrator: UUID | None
    warnings: Sequence[checks.CheckMessage]


_lock = threading.Lock()
_kept: tuple[float, Facts] | None = None
_checked: tuple[float, Sequence[checks.CheckMessage]] | None = None


def current() -> Facts:
    """No older than `KEPT_SECONDS`. Of several threads that find them too old, one reads."""
    global _kept  # noqa: PLW0603 - the process's one copy
    with _lock:
        if _kept is None or time.monotonic() - _kept[0] >= KEPT_SECONDS:
            _kept = (time.monotonic(), read(now=timezone.now()))
        return _kept[1]


def forget() -> None:
    """Read again next time."""
    global _kept, _checked  # noqa: PLW0603 - as above
    _kept = _checked = None


def read(*, now: datetime) -> Facts:
    """The facts as they are now."""
    hours, counted_until, known_since = _hours(now)
    asked_for = ApprovalRequest.objects.filter(app__state=App.State.PENDING)
    waiting = asked_for.annotate(main=Coalesce("app__merged_into", "app")).values("main").distinct()
    return Facts(
        at=now,
        live_sessions=Bounded.of(TokenSession.objects.filter(closed_at=None, idle_expires_at__gt=now)),
        exchanges=Bounded.of(AuditEvent.objects.filter(EXCHANGES, at__gte=now - HOUR)),
        waiting_apps=Bounded.of(waiting, at_most=1000),
        dead_credentials=Bounded.of(Credential.objects.filter(state=Credential.State.DEAD)),
        failed_revocations=Bounded.of(
            Revocation.objects.filter(state=Revocation.State.FAILED, finished_at__gte=now - FAILED_LATELY)
        ),
        upstreams=upstreams(now=now),
        hours=hours,
        known_since=known_since,
        counted_until=counted_until,
        trail_begins=None if counted_until else _trail_begins(),
        active_key=SigningKey.objects.filter(phase=SigningKey.Phase.ACTIVE).defer("private_key_sealed").first(),
        first_administrator=_first_administrator(),
        warnings=_warnings(),
    )


def _hours(now: datetime) -> tuple[dict[datetime, Tally], datetime | None, datetime]:
    since = hour_of(now - timedelta(days=DAYS)).replace(hour=0)
    tallies = AuditTally.objects.filter(hour__gte=since, hour__lt=hour_of(now)).order_by("hour")
    hours = {hour: (signed_in, exchanged) for hour, signed_in, exchanged in tallies.values_list()}
    counted_until = max(hours) + HOUR if hours else None
    earliest = hour_of(now) - (LIVE_HOURS - 1) * HOUR
    begins = max(counted_until or earliest, earliest)
    young = [begins + n * HOUR for n in range(int((hour_of(now) - begins) / HOUR) + 1)]
    sign_ins, exchanges = _live(SIGN_INS, young), _live(EXCHANGES, young)
    hours.update({hour: (sign_ins[n], exchanges[n]) for n, hour in enumerate(young)})
    gap = counted_until is None or counted_until < begins
    return hours, counted_until, begins if gap else min(hours)


def _live(which: Q, hours: Sequence[datetime]) -> list[int]:
    """Of each of these hours that are not counted yet; of the newest `LIVE_ROWS` rows, where there are more."""
    rows = AuditEvent.objects.filter(which, at__gte=hours[0]).order_by("-at")[:LIVE_ROWS]
    each = {f"hour_{n}": Count("id", filter=Q(at__gte=hour, at__lt=hour + HOUR)) for n, hour in enumerate(hours)}
    counts = rows.aggregate(**each)
    return [counts[name] for name in each]


def _trail_begins() -> datetime | None:
    return AuditEvent.objects.order_by("at").values_list("at", flat=True).first()


def _first_administrator() -> UUID | None:
    """The one that the first start made and printed the password of, while that account is still in use."""
    made = AuditEvent.objects.filter(event="admin.created", actor="bootstrap").order_by("at")
    users = User.objects.filter(pk=made.values("user_id")[:1], is_active=True, is_superuser=True)
    return users.values_list("pk", flat=True).first()


def _warnings() -> Sequence[checks.CheckMessage]:
    """What `manage.py check --deploy --database default` says; on somebody's own machine, without `--deploy`."""
    global _checked  # noqa: PLW0603 - as above
    if _checked is None or time.monotonic() - _checked[0] >= CHECKS_KEPT_SECONDS:
        found = checks.run_checks(include_deployment_checks=not load().demo, databases=["default"])
        silenced = set(settings.SILENCED_SYSTEM_CHECKS)
        serious = [one for one in found if one.level >= checks.WARNING and one.id not in silenced]
        _checked = (time.monotonic(), serious)
    return _checked[1]
