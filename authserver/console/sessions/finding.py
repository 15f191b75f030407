"""From what an operator types to whose sessions those are: each kind by what identifies it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from accounts.models import Link, TokenSession, User
from authserver import look_alikes
from authserver.app_identity import without_details
from authserver.console.sessions.beside import Configured
from authserver.models import App, Client

SOME = 50
MANY = 500
SHORTEST_TSID = 6
"""Of a tsid's beginning, as other pages show it."""
_TSID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Thing:
    """One thing that sessions hang on: `stem` and `pk` lead to its page, as `accounts_user`."""

    stem: str
    pk: Any
    name: str


@dataclass(frozen=True)
class Found:
    """Which sessions. `one`: what was named, if that is one thing. `has_index`: whether one leads to them all."""

    kind: str
    condition: Q
    one: Thing | None = None
    has_index: bool = True

    @property
    def is_nothing(self) -> bool:
        return self.condition == NOBODY


NOBODY = Q(pk__in=[])


def what_is(term: str, known: Configured) -> Found | None:
    """Of the first kind that knows the term; None where none does."""
    finders: Sequence[Callable[[], Found]] = (
        lambda: tsid(term),
        lambda: address(term),
        lambda: person(term),
        lambda: client(term),
        lambda: app(term),
        lambda: resource(term, known),
    )
    return next((found for find in finders if not (found := find()).is_nothing), None)


def tsid(term: str) -> Found:
    """By its beginning, if there is such a session."""
    beginning = term.removesuffix("…")
    fits = len(beginning) >= SHORTEST_TSID and _TSID.fullmatch(beginning)
    condition = Q(tsid__startswith=beginning) if fits else NOBODY
    return Found("tsid", condition if fits and TokenSession.objects.filter(condition).exists() else NOBODY)


def address(term: str) -> Found:
    try:
        return Found("address", Q(address=str(ipaddress.ip_address(term))))
    except ValueError:
        return Found("address", NOBODY)


def person(term: str) -> Found:
    """An id may be nobody's any more; a user name and an e-mail address are compared by their beginning."""
    try:
        people = User.objects.filter(pk=UUID(term))
    except ValueError:
        people = User.objects.filter(Q(username__startswith=term) | Q(email__startswith=term))
    found = list(people.only("pk", "name", "email", "username").order_by("pk")[:SOME])
    exact = [one for one in found if term in {one.username, one.email}]
    found = exact or found
    one = Thing("accounts_user", found[0].pk, str(found[0])) if len(found) == 1 else None
    return Found("person", Q(user__in=[one.pk for one in found]) if found else NOBODY, one)


def client(client_id: str) -> Found:
    """A registration that is gone has sessions still."""
    known = Client.objects.filter(client_id=client_id).only("pk", "name", "client_id").first()
    one = Thing("authserver_client", known.pk, known.name or known.client_id) if known else None
    there = known or TokenSession.objects.filter(client_id=client_id).exists()
    return Found("client_id", Q(client_id=client_id) if there else NOBODY, one)


def app(term: str) -> Found:
    """By its name, in whatever letters, or its host: with all registrations of it and of what is merged with it."""
    alike = look_alikes.skeleton(without_details(term))
    apps = App.objects.filter(Q(place=term) | (Q(skeleton=alike) if alike else NOBODY)).select_related("merged_into")
    main = {one.main_key: one.merged_into or one for one in apps.order_by("pk")[:SOME]}
    if not main:
        return Found("app", NOBODY)
    own = Client.objects.filter(Q(app__in=main) | Q(app__merged_into__in=main))
    newest = list(own.order_by("-id").values_list("client_id", flat=True)[: MANY + 1])
    few = len(newest) <= MANY
    condition = Q(client_id__in=newest if few else own.values("client_id"))
    (key, first), *others = main.items()
    one = None if others else Thing("authserver_app", key, str(first))
    return Found("app", condition, one, has_index=few)


def resource(term: str, known: Configured) -> Found:
    """By its identifier, or by its name in whatever case."""
    wanted = term.casefold()
    found = [one for one in known.resources.values() if term == one.identifier or wanted == one.name.casefold()]
    one = Thing("authserver_resource", found[0].pk, found[0].name) if len(found) == 1 else None
    return Found("resource", Q(resource__in=[each.identifier for each in found]) if found else NOBODY, one)


def resource_called(identifier: str, known: Configured) -> Found:
    """One that is gone has sessions still."""
    here = known.resources.get(identifier)
    return Found("resource", Q(resource=identifier), Thing("authserver_resource", here.pk, here.name) if here else None)


def upstream(name: str, known: Configured) -> Found:
    here = known.providers.get(name)
    linked = Exists(Link.objects.filter(session=OuterRef("pk"), provider=name))
    return Found("upstream", Q(linked), Thing("upstream_provider", here.pk, here.title) if here else None)
