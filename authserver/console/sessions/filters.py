"""Which sessions: the filter form, and how its answers become a query that reads a bounded number of rows.

A person and a tsid have few sessions, and go with every other filter. An address, a client, an app, a resource, an upstream
and a dead credential each lead to open sessions along an index, alone. Everything else looks into the newest `LOOKED_INTO`
sessions that such an index leads to, or of all; the page says from when on, where there are more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts import devices
from accounts.models import TokenSession
from authserver.console.sessions import finding, standing
from authserver.console.sessions.beside import Configured
from authserver.console.sessions.finding import NOBODY, Found, Thing
from authserver.console.sessions.standing import Standing

FIRST = ("q", "state")
LOOKED_INTO = 10_000
MOST_DEVICES = 500
OPEN, ENDED, ALL = "open", "ended", "all"
ORDER = {OPEN: "-created_at", ENDED: "-closed_at", ALL: "-created_at"}
NARROW = ("tsid", "person")
LEADS = ("address", "client_id", "app", "resource", "upstream", "credential", "created")
"""Of open sessions, the one that finds the fewest first. Sessions that have ended have no such index."""
MOMENTS = {"created": "created_at", "used": "last_used_at", "ends": "idle_expires_at", "ended": "closed_at"}
KINDS = {
    "tsid": _("a token session"),
    "address": _("an address"),
    "person": _("a person"),
    "client_id": _("a client"),
    "app": _("an app"),
    "resource": _("a resource"),
}
"""What a search may be taken for."""


def _moment(label: Any) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, required=False, widget=widget)


class FilterForm(forms.Form):
    """All of it in the address, so that a list can be linked to. Times are UTC."""

    q = forms.CharField(
        label=_("Search: tsid, address, person, client, app or resource"), required=False, max_length=2048
    )
    state = forms.ChoiceField(label=_("State"), required=False)
    person = forms.CharField(label=_("Person (ID, user name or e-mail address)"), required=False, max_length=255)
    app = forms.CharField(label=_("App (its name or host)"), required=False, max_length=255)
    client_id = forms.CharField(label=_("Client ID"), required=False, max_length=2048)
    resource = forms.ChoiceField(label=_("Resource"), required=False)
    upstream = forms.ChoiceField(label=_("Upstream"), required=False)
    credential = forms.ChoiceField(label=_("Upstream that is"), required=False)
    address = forms.GenericIPAddressField(label=_("Address"), required=False)
    device = forms.CharField(label=_("Device (as it is listed)"), required=False, max_length=80)
    when = forms.ChoiceField(label=_("Time"), required=False)
    since = _moment(_("From (UTC)"))
    until = _moment(_("Until (UTC)"))

    def __init__(self, data: Any, known: Configured) -> None:
        super().__init__(data)
        self.known = known
        self._choose("state", _("open"), [(ENDED, _("ended")), (ALL, _("open and ended"))])
        self._choose("resource", _("all"), [(one.identifier, one.name) for one in known.resources.values()])
        self._choose("upstream", _("all"), [(one.name, one.title) for one in known.providers.values()])
        self._choose("credential", _("all"), [(str(one.value), one.label) for one in Standing])
        self._choose("when", _("created"), [("used", _("last used")), ("ends", _("ends")), ("ended", _("ended"))])

    def _choose(self, name: str, nothing: Any, choices: list[tuple[str, Any]]) -> None:
        """A resource or an upstream that the address asks for is a choice, known here or not: it may be gone."""
        asked = str(self.data.get(name, ""))[:2048].replace("\x00", "")
        is_gone = name in {"resource", "upstream"} and asked and asked not in {value for value, _said in choices}
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - narrows the type
        field.choices = [("", nothing), *choices, *([(asked, asked)] if is_gone else [])]

    @property
    def first(self) -> list[forms.BoundField]:
        """What most look for."""
        return [self[name] for name in FIRST]

    @property
    def more(self) -> list[forms.BoundField]:
        return [field for field in self if field.name not in FIRST]

    @property
    def uses_more(self) -> bool:
        return any(field.value() for field in self.more)

    @property
    def asked(self) -> dict[str, str]:
        """The filters in use, as an operator wrote them."""
        return {name: str(self.data[name])[:2048] for name in ASKED if self.data.get(name)}


ASKED = tuple(FilterForm.base_fields)


@dataclass(frozen=True)
class Narrowed:
    """The rows, newest first. `since`: what is older was not looked into; None where nothing was left out.

    `found_as` is what the search was taken for; `is_unknown`: it is nothing that is known here. `named` are the things that
    the filters name, one each.
    """

    rows: QuerySet[TokenSession]
    since: datetime | None = None
    found_as: Any = ""
    is_unknown: bool = False
    named: Mapping[str, Thing] = field(default_factory=dict)


def narrowed(rows: QuerySet[TokenSession], form: FilterForm, *, now: datetime) -> Narrowed:
    """No rows for a form with a mistake in it: it says which, and nothing is guessed."""
    if not form.is_valid():
        return Narrowed(rows.none())
    given = {name: value for name, value in form.cleaned_data.items() if value not in (None, "")}
    found = _found(given, form.known, now)
    search = finding.what_is(given["q"], form.known) if "q" in given else None
    if "q" in given and search is None:
        return Narrowed(rows.none(), is_unknown=True)
    asked = _Asked([*found, *([search] if search else [])], given.get("device", ""))
    state = given.get("state") or (ALL if asked.has("tsid") else ENDED if given.get("when") == "ended" else OPEN)
    parts = [asked.part(rows, one, is_alone=state == one) for one in (OPEN, ENDED) if state in (one, ALL)]
    matching = Q(*(condition for condition, _since in parts), _connector=Q.OR)
    return Narrowed(
        rows.filter(matching).order_by(ORDER[state], "-tsid"),
        max((since for _condition, since in parts if since), default=None),
        KINDS[search.kind] if search else "",
        named={one.kind: one.one for one in asked.found if one.one},
    )


def _found(given: Mapping[str, Any], known: Configured, now: datetime) -> list[Found]:
    """What each filter in use finds."""
    found = []
    for name, find in (("person", finding.person), ("app", finding.app), ("client_id", finding.client)):
        if name in given:
            found.append(find(given[name]))
    if "address" in given:
        found.append(finding.address(given["address"]))
    if "resource" in given:
        found.append(finding.resource_called(given["resource"], known))
    if "credential" in given:
        found.append(_standing(given, known, now))
    elif "upstream" in given:
        found.append(finding.upstream(given["upstream"], known))
    if "since" in given or "until" in given:
        when = given.get("when") or "created"
        ends = {"gte": given.get("since"), "lt": given.get("until")}
        between = {f"{MOMENTS[when]}__{name}": moment for name, moment in ends.items() if moment}
        found.append(Found("created" if when == "created" else "when", Q(**between), has_index=when == "created"))
    return found


def _standing(given: Mapping[str, Any], known: Configured, now: datetime) -> Found:
    """Together with an upstream, it is that one which is to stand like this."""
    needs = {identifier: resource.upstreams for identifier, resource in known.resources.items()}
    name, wanted = given.get("upstream", ""), given["credential"]
    condition = standing.having(wanted, needs, now=now, provider=name)
    one = finding.upstream(name, known).one if name else None
    return Found("credential", condition, one, has_index=wanted == Standing.DEAD)


@dataclass(frozen=True)
class _Asked:
    """What is looked for; `device` among the rows that the rest leaves."""

    found: list[Found]
    device: str

    def has(self, *kinds: str) -> bool:
        return any(one.kind in kinds for one in self.found)

    def part(self, rows: QuerySet[TokenSession], state: str, *, is_alone: bool) -> tuple[Q, datetime | None]:
        """Of the open ones, or of those that have ended: the condition, and since when they were looked into, if there
        are more. Both together are in no index's order: that takes a window too."""
        is_open = state == OPEN
        condition, stamp = Q(closed_at__isnull=is_open), ORDER[state].removeprefix("-")
        everything = condition & Q(*(one.condition for one in self.found))
        since = None
        leads = self._leads() if is_open else []
        if not self.has(*NARROW) and (not is_alone or self.device or self.found != leads[:1]):
            since = _earliest(rows.filter(condition), leads or [Found("", Q())], stamp)
        if since is not None:
            everything &= Q(**{f"{stamp}__gt": since})
        if self.device:
            everything &= _of_device(rows.filter(everything), self.device)
        return everything, since

    def _leads(self) -> list[Found]:
        leads = [one for one in self.found if one.kind in LEADS and one.has_index]
        return sorted(leads, key=lambda one: LEADS.index(one.kind))


def _earliest(rows: QuerySet[TokenSession], leads: list[Found], stamp: str) -> datetime | None:
    """From when on one of these leads to `LOOKED_INTO` rows; None where one has no more than that. A statement a lead at
    most."""
    found: list[datetime] = []
    for lead in leads:
        newest = rows.filter(lead.condition).order_by(f"-{stamp}").values_list(stamp, flat=True)
        since = newest[LOOKED_INTO : LOOKED_INTO + 1].first()
        if since is None:
            return None
        found.append(since)
    return min(found)


def _of_device(rows: QuerySet[TokenSession], wanted: str) -> Q:
    """Whose browser the list describes with these words, or which calls itself so. Those of one release are one."""
    wanted = wanted.casefold()
    known = rows.order_by().exclude(user_agent="").values_list("user_agent", flat=True).distinct()[:MOST_DEVICES]
    alike = [one for one in known if wanted in devices.describe(one).casefold() or wanted in one.casefold()]
    return Q(user_agent__in=alike) if alike else NOBODY
