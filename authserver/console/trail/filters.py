"""Which rows of the trail: the filter form, and how its answers become a query along an index.

A person, a token session and a receipt have few rows each, and go with every other filter. An event, an upstream, an
app, a client or an address may have millions: one alone is read along its own index, and more than one, or a filter
without an index, only within a stretch of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEvent, User
from authserver import look_alikes
from authserver.app_identity import without_details
from authserver.console.trail import words
from authserver.models import App, Client
from upstream.models import Provider

NARROW = ("person", "tsid", "receipt")
INDEXED = ("event", "upstream", "app", "client_id", "address")
PARTIAL = frozenset({"tsid", "upstream", "client_id"})
"""Their indexes leave out the empty ones, and SQLite takes them only where the query says so too."""
WINDOW = timedelta(days=1)
"""Where a combination needs a stretch of time and none is given."""
LONGEST_WINDOW = timedelta(days=31)
SOME = 50
MANY = 500


def _moment(label: Any) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, required=False, widget=widget)


class FilterForm(forms.Form):
    """All of it in the address, so that a list can be linked to. Times are UTC."""

    event = forms.ChoiceField(label=_("Event"), required=False)
    outcome = forms.ChoiceField(label=_("Outcome"), required=False)
    person = forms.CharField(label=_("Person (ID, user name or e-mail address)"), required=False, max_length=255)
    app = forms.CharField(label=_("App (its name or host)"), required=False, max_length=255)
    client_id = forms.CharField(label=_("Client ID"), required=False, max_length=2048)
    tsid = forms.CharField(label=_("Token session (tsid)"), required=False, max_length=64)
    upstream = forms.ChoiceField(label=_("Upstream"), required=False)
    address = forms.GenericIPAddressField(label=_("Address"), required=False)
    actor = forms.CharField(label=_("Done by"), required=False, max_length=255)
    receipt = forms.UUIDField(label=_("Receipt"), required=False)
    since = _moment(_("From (UTC)"))
    until = _moment(_("Until (UTC)"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        upstreams = list(Provider.objects.order_by("name").values_list("name", flat=True)[:MANY])
        self._choose("event", [(name, f"{said} ({name})") for name, said in words.WORDS.items()])
        self._choose("outcome", list(words.OUTCOMES.items()))
        self._choose("upstream", [(name, name) for name in upstreams])

    def _choose(self, name: str, choices: list[tuple[str, Any]]) -> None:
        """What the address asks for is a choice too: an event of an older release, an upstream that is gone."""
        asked = str(self.data.get(name, ""))[:64].replace("\x00", "")
        known = {value for value, _said in choices}
        extra = [(asked, asked)] if asked and asked not in known else []
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - narrows the type
        field.choices = [("", _("all")), *choices, *extra]


ASKED = tuple(FilterForm.base_fields)


@dataclass(frozen=True)
class Narrowed:
    """The rows; where `since` and `until` are not the operator's own but our bound, `is_bounded`."""

    rows: QuerySet[AuditEvent]
    since: datetime | None
    until: datetime | None
    is_bounded: bool


def narrowed(rows: QuerySet[AuditEvent], form: FilterForm, *, now: datetime) -> Narrowed:
    """No rows for a form with a mistake in it: it says which, and nothing is guessed."""
    if not form.is_valid():
        return Narrowed(rows.none(), None, None, is_bounded=False)
    given = {name: value for name, value in form.cleaned_data.items() if value not in (None, "")}
    since, until = given.pop("since", None), given.pop("until", None)
    bounded = False
    if needs_window(given):
        wanted = (since, until)
        until = min(until or now, now + timedelta(minutes=5))
        since = max(since or until - WINDOW, until - LONGEST_WINDOW)
        bounded = wanted[0] != since
    found = rows.filter(_matching(given))
    if since is not None:
        found = found.filter(at__gte=since)
    if until is not None:
        found = found.filter(at__lt=until)
    return Narrowed(found, since, until, bounded)


def needs_window(given: dict[str, Any]) -> bool:
    """Whether these filters together might read millions of rows for a few."""
    if not given or any(name in NARROW for name in given):
        return False
    return len(given) > 1 or not any(name in INDEXED for name in given)


def asked(form: FilterForm) -> dict[str, str]:
    """The filters in use, as an operator wrote them."""
    return {name: str(form.data[name])[:255] for name in ASKED if form.data.get(name)}


def _matching(given: dict[str, Any]) -> Q:
    found = Q()
    for name, value in given.items():
        if name == "person":
            found &= Q(user_id__in=_people(value))
        elif name == "app":
            found &= Q(client_id__in=_clients(value))
        else:
            found &= Q(**{name: value})
    for name in PARTIAL.intersection(given):
        found &= ~Q(**{name: ""})
    if "app" in given:
        found &= ~Q(client_id="")
    return found


def _people(term: str) -> list[UUID]:
    """By what identifies them, as a whole: this is no search for names. An id may be nobody's any more."""
    try:
        return [UUID(term)]
    except ValueError:
        found = User.objects.filter(Q(username=term) | Q(email=term))
        return list(found.values_list("pk", flat=True)[:SOME])


def _clients(term: str) -> list[str]:
    """The newest registrations of the apps of this name, in whatever letters, or at this host, under all their names."""
    alike = look_alikes.skeleton(without_details(term))
    apps = App.objects.filter(Q(place=term) | (Q(skeleton=alike) if alike else Q(pk__in=[])))
    keys = App.together(apps.values_list("pk", flat=True)[:SOME])
    return list(Client.objects.filter(app__in=keys).order_by("-id").values_list("client_id", flat=True)[:MANY])
