"""How much there is of each app, its aliases included: "42 registrations, 17 people", and who asked for it.

Counted for the rows of one page, each number along an index and no further than `MOST`: an app may have a million rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import DateTimeField, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.utils.formats import number_format

from accounts.models import TokenSession
from authserver import app_registry
from authserver.models import App, ApprovalRequest, Client

MOST = 1000
REGISTRATIONS_LOOKED_INTO = 10_000
"""For who uses them; with more, there are so many people at least."""


class _Rows(Subquery):
    """How many rows the query has; it is bounded, which Django's own Count cannot be."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) bounded_rows)"
    output_field = IntegerField()


class _People(Subquery):
    """How many different people its rows have."""

    template = "(SELECT COUNT(DISTINCT user_id) FROM (%(subquery)s) bounded_rows)"
    output_field = IntegerField()


@dataclass(frozen=True)
class AtLeast:
    """A number, or that there are more."""

    count: int
    is_whole: bool

    def __str__(self) -> str:
        return f"{number_format(self.count, force_grouping=True)}{'' if self.is_whole else '+'}"


def registrations(app: Any) -> AtLeast:
    """Of an app that was `counted`."""
    return AtLeast(min(app.registration_count, MOST), app.registration_count <= MOST)


def sessions(app: Any) -> AtLeast:
    """The open token sessions of one that was `counted`."""
    return AtLeast(min(app.session_count, MOST), _all_sessions_read(app))


def people(app: Any) -> AtLeast:
    """Who has an open token session with one that was `counted`."""
    return AtLeast(min(app.people_count, MOST), _all_sessions_read(app))


def _all_sessions_read(app: Any) -> bool:
    return bool(app.session_count <= MOST and app.registration_count <= MOST)


def counted(apps: QuerySet[App], *, now: datetime) -> QuerySet[App]:
    """With `registration_count`, `session_count` and `people_count` of open token sessions, `request_count`,
    `last_request`, `seen_at`, and `likeness`: whom the app's name imitates."""
    own = App.objects.filter(Q(pk=OuterRef(OuterRef("pk"))) | Q(merged_into=OuterRef(OuterRef("pk")))).values("pk")
    clients = Client.objects.filter(app__in=own).order_by().values("pk")[: MOST + 1]
    requests = ApprovalRequest.objects.filter(app__in=own).order_by()
    last = requests.order_by("-requested_at").values("requested_at")[:1]
    seen = App.objects.filter(Q(pk=OuterRef("pk")) | Q(merged_into=OuterRef("pk"))).order_by("-last_seen_at")
    opened = _open_sessions(now)
    imitated = app_registry.answered_for().filter(skeleton=OuterRef("skeleton")).exclude(pk=OuterRef("pk"))
    return apps.annotate(
        likeness=Subquery(imitated.exclude(skeleton="").values("name")[:1]),
        registration_count=_Rows(clients),
        session_count=_Rows(opened),
        people_count=_People(opened),
        request_count=_Rows(requests.values("pk")[: MOST + 1]),
        last_request=Subquery(last, output_field=DateTimeField()),
        seen_at=Subquery(seen.values("last_seen_at")[:1]),
    )


def _open_sessions(now: datetime) -> QuerySet[Any, Any]:
    outer = OuterRef(OuterRef(OuterRef("pk")))
    own = App.objects.filter(Q(pk=outer) | Q(merged_into=outer)).values("pk")
    clients = Client.objects.filter(app__in=own).order_by().values("client_id")[:REGISTRATIONS_LOOKED_INTO]
    live = TokenSession.objects.filter(closed_at=None, idle_expires_at__gt=now, client_id__in=clients)
    return live.order_by().values("user_id")[: MOST + 1]
