"""Sign-ins and exchanges of a day and of a month, drawn here: bars in whole units of an SVG, and the same as a table.

A bar's height is relative to the highest of its own series, which is said beside it: there are hundreds of exchanges to
a sign-in. All times are UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from accounts.tallies import HOUR, hour_of
from authserver.console.home.facts import DAYS, Facts

STEP, BAR, HEIGHT = 10, 8, 60
DAY = timedelta(days=1)
Count = int | None
"""None where nobody counted."""


@dataclass(frozen=True)
class Bar:
    x: int
    y: int
    height: int
    words: str


@dataclass(frozen=True)
class Series:
    """One SVG; `summary` is what it says to whoever does not see it."""

    name: str
    summary: str
    bars: Sequence[Bar]
    width: int
    height: int = HEIGHT
    bar: int = BAR


@dataclass(frozen=True)
class Chart:
    title: str
    unit: str
    begins: str
    ends: str
    series: Sequence[Series]
    table: Sequence[tuple[str, str, str]]
    gap: datetime | None
    """Until when counts are missing, where they are."""


def of(known: Facts) -> list[Chart]:
    """The last 24 hours and the last 30 days, the current hour and the current day included."""
    this_hour = hour_of(known.at)
    hours = [this_hour - n * HOUR for n in range(24)][::-1]
    today = this_hour.replace(hour=0)
    days = [today - n * DAY for n in range(DAYS)][::-1]
    return [
        _chart(_("Last 24 hours"), _("Hour (UTC)"), known, hours, HOUR, lambda at: date_format(at, "H:i")),
        _chart(_("Last 30 days"), _("Day (UTC)"), known, days, DAY, lambda at: date_format(at, "MONTH_DAY_FORMAT")),
    ]


def _chart(
    title: str,
    unit: str,
    known: Facts,
    begins: Sequence[datetime],
    length: timedelta,
    label: Callable[[datetime], str],
) -> Chart:
    labels = [label(at) for at in begins]
    sign_ins, exchanges = ([_sum(known, at, length, which) for at in begins] for which in (0, 1))
    return Chart(
        title=title,
        unit=unit,
        begins=labels[0],
        ends=f"{labels[-1]} UTC",
        series=[_series(_("Sign-ins"), sign_ins, labels), _series(_("Exchanges"), exchanges, labels)],
        table=[(at, _words(one), _words(other)) for at, one, other in zip(labels, sign_ins, exchanges, strict=True)],
        gap=known.known_since if _has_gap(known, begins[0]) else None,
    )


def _sum(known: Facts, begins: datetime, length: timedelta, which: int) -> Count:
    hours = (begins + n * HOUR for n in range(int(length / HOUR)))
    found = [known.hours[hour][which] for hour in hours if hour in known.hours]
    return sum(found) if found else None


def _has_gap(known: Facts, since: datetime) -> bool:
    """Hours before the first tally are no gap where the trail itself begins with it, or begins later."""
    if known.counted_until is None:
        return known.trail_begins is not None and known.trail_begins < known.known_since and since < known.known_since
    return known.known_since > known.counted_until and since < known.known_since


def _series(name: str, counts: Sequence[Count], labels: Sequence[str]) -> Series:
    most = max((count or 0 for count in counts), default=0)
    bars = [
        Bar(n * STEP, HEIGHT - height, height, f"{label}: {_words(count)}")
        for n, (count, label) in enumerate(zip(counts, labels, strict=True))
        if count and (height := max(1, count * HEIGHT // most))
    ]
    total = sum(count or 0 for count in counts)
    summary = _("%(total)s in all, %(most)s at most") % {"total": _words(total), "most": _words(most)}
    return Series(name, summary, bars, width=len(counts) * STEP - (STEP - BAR))


def _words(count: Count) -> str:
    return "–" if count is None else number_format(count, force_grouping=True)  # noqa: RUF001 - a dash, for no number
