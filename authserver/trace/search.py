"""What an operator knows of somebody who cannot connect: a client id, an app, a person, an address."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from uuid import UUID

from accounts.models import User
from authserver.look_alikes import skeleton
from authserver.models import App, Client
from authserver.trace import attempts
from authserver.trace.attempts import MOST, Attempt

MAX_SEARCH = 2048


def find(text: str) -> list[Attempt]:
    """The newest attempts of whatever it names: the first of address, person, client id, app of that name or place."""
    asked = text.strip()[:MAX_SEARCH]
    if not asked or not asked.isprintable():
        return []
    try:
        return attempts.of_address(str(ip_address(asked)))
    except ValueError:
        pass
    if person := _person(asked):
        return attempts.of_person(person.pk)
    clients = list(Client.objects.filter(client_id=asked)[:1]) or _of_app(asked)
    return attempts.of_clients(clients, () if clients else (asked,))


def _person(asked: str) -> User | None:
    with suppress(ValueError):
        if found := User.objects.filter(pk=UUID(asked)).first():
            return found
    if "://" in asked:
        return None
    return User.objects.filter(email=asked).first() or User.objects.filter(username=asked[:150]).first()


def _of_app(asked: str) -> list[Client]:
    """The newest registrations of the apps that look as if they were called so, or are answered at that place, under
    all names of theirs."""
    looks = App.objects.filter(skeleton=skeleton(asked)[:255]).order_by("-id")[:5]
    places = App.objects.filter(place=asked).order_by("-id")[:5]
    apps = App.together({app.pk for app in [*looks, *places]})
    return list(Client.objects.filter(app__in=apps).order_by("-id")[:MOST]) if apps else []
