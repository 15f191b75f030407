"""How each upstream does, as far as our own trail tells: nothing is asked of it for this.

A token that is handed out may have been refreshed days ago, so it does not prove that its provider answers; a sign-in
does. An error is one of the provider's, or of what we are there: that a person has to sign in anew is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import AuditEvent
from authserver.console.providers import causes
from upstream.models import Provider

LOOKED_BACK = timedelta(days=1)
FAILING_FOR = timedelta(minutes=15)
"""With an error this young and no sign-in since, an upstream counts as failing."""
SHOWN = 50
TROUBLE = Q(event="upstream.sign_in") | Q(event="vault.release", reason="temporarily_unavailable")

WORDS = {
    "timeout": gettext_lazy("It did not answer in time."),
    "connection": gettext_lazy("It could not be reached."),
    "dns": gettext_lazy("Its name is not known."),
    "proxy": gettext_lazy("The outbound proxy did not let us through."),
    "tls": gettext_lazy("No secure connection to it could be made."),
    "too_large": gettext_lazy("Its answer was too large."),
    "garbage": gettext_lazy("Its answer could not be read."),
    "rate_limited": gettext_lazy("It asks us to slow down."),
    "client_refused": gettext_lazy("It refuses us: check the client ID and the secret."),
    "client_secret_unreadable": gettext_lazy("Our secret for it cannot be opened: enter it again."),
    "sealing_unavailable": gettext_lazy("The vault keys were not available."),
    "provider_disabled": gettext_lazy("It is switched off here."),
    "held_up": gettext_lazy("A refresh took too long."),
    "refresh_under_way": gettext_lazy("A refresh took too long."),
    "temporarily_unavailable": gettext_lazy("It did not answer properly when a token had to be refreshed."),
}


@dataclass(frozen=True)
class Upstream:
    """Times within the last day, None where nothing of the kind happened."""

    key: int
    name: str
    title: str
    enabled: bool
    signed_in_at: datetime | None
    released_at: datetime | None
    failed_at: datetime | None
    error: str

    def is_failing(self, now: datetime) -> bool:
        if not self.enabled or self.failed_at is None or self.failed_at < now - FAILING_FOR:
            return False
        return self.signed_in_at is None or self.signed_in_at < self.failed_at


@dataclass(frozen=True)
class Row:
    """One line of the table, in words."""

    upstream: Upstream
    state: str
    failing: bool
    error: str
    url: str
    errors_url: str


def upstreams(given: Sequence[Provider] | None = None, *, now: datetime) -> list[Upstream]:
    """Of the given rows, or of the first `SHOWN` by name.

    Three statements at most, however many there are; each of the newest events is one step along an index.
    """
    wanted = Provider.objects.all() if given is None else Provider.objects.filter(pk__in=[row.pk for row in given])
    events = AuditEvent.objects.filter(upstream=OuterRef("name"), at__gte=now - LOOKED_BACK)
    events = events.exclude(upstream="")  # as the indexes have it
    found = list(
        wanted.annotate(
            signed_in_at=_newest(events.filter(event="upstream.sign_in", outcome="ok"), "at"),
            released_at=_newest(events.filter(event="vault.release", outcome="ok"), "at"),
            trouble=_newest(events.filter(TROUBLE, outcome="failed"), "id"),
        ).values("pk", "signed_in_at", "released_at", "trouble")[:SHOWN]
    )
    if given is None:
        rows = Provider.objects.defer("client_secret_sealed").in_bulk([one["pk"] for one in found])
    else:
        rows = {row.pk: row for row in given}
    troubles = [one["trouble"] for one in found if one["trouble"]]
    errors = AuditEvent.objects.in_bulk(troubles) if troubles else {}
    return [
        _upstream(rows[one["pk"]], one["signed_in_at"], one["released_at"], errors.get(one["trouble"])) for one in found
    ]


def rows(known_upstreams: Sequence[Upstream], *, now: datetime) -> Iterator[Row]:
    """The failing ones first."""
    audit = reverse("admin:accounts_auditevent_changelist")
    since = (now - LOOKED_BACK).strftime("%Y-%m-%dT%H:%M")
    for one in sorted(known_upstreams, key=lambda one: not one.is_failing(now)):
        query = urlencode({"upstream": one.name, "outcome": "failed", "since": since})
        yield Row(
            upstream=one,
            state=_state(one, now),
            failing=one.is_failing(now),
            error=in_words(one.error) if one.failed_at else "",
            url=reverse("admin:upstream_provider_change", args=[one.key]),
            errors_url=f"{audit}?{query}",
        )


def in_words(reason: str) -> str:
    """What an operator is told of a `reason`; the word itself where there is nothing better."""
    if reason in WORDS:
        return str(WORDS[reason])
    if cause := causes.of(reason):
        return str(cause.meaning)
    if status := re.fullmatch(r"(?:[a-z_]+_)?http_(\d{3})", reason):
        return _("It answered with an error (HTTP %(status)s).") % {"status": status[1]}
    return _("Its answer was not acceptable (%(reason)s).") % {"reason": reason or "-"}


def _newest(events: QuerySet[AuditEvent], column: str) -> Subquery:
    return Subquery(events.order_by("-at").values(column)[:1])


def _upstream(
    row: Provider, signed_in_at: datetime | None, released_at: datetime | None, error: AuditEvent | None
) -> Upstream:
    reason = str(error.detail.get("why") or error.reason) if error else ""
    failed_at = error.at if error else None
    return Upstream(row.pk, row.name, row.title, row.enabled, signed_in_at, released_at, failed_at, reason)


def _state(one: Upstream, now: datetime) -> str:
    if not one.enabled:
        return _("switched off")
    if one.is_failing(now):
        return _("failing")
    if one.signed_in_at or one.released_at:
        return _("in order")
    return _("quiet for a day")
