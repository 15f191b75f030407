"""All of one thing: how its sessions are found for a preview, and which cascade ends them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import User
from accounts.vault import vault
from authserver import cascade, receipts
from authserver.cascade import Receipt
from authserver.models import App, Client, Resource
from authserver.receipts import MAX_PREVIEWED, Preview
from upstream.models import Provider

LOOKED_FOR = MAX_PREVIEWED + 1


@dataclass(frozen=True)
class Everything:
    """`title` asks, `also` says what ends besides the sessions. `connections`: how many people lose their connection, where it
    is those that end."""

    title: str
    also: str
    tsids: Callable[[], Iterable[str]]
    cascade: Callable[..., Receipt]
    connections: Callable[[], int] | None = None

    def preview(self, *, now: datetime) -> Preview:
        return receipts.preview(self.tsids(), now=now)

    @property
    def connected(self) -> int | None:
        """People; counted up to `LOOKED_FOR`."""
        return None if self.connections is None else self.connections()

    def end(self, *, actor: str, address: str | None, words: str, most: int) -> Receipt:
        return self.cascade(reason="admin", actor=actor, address=address, words=words, most=most)


def of(thing: Any, *, is_superuser: bool) -> Everything:
    """Of a person, an app, a client, an upstream or a resource. Operators sign nobody out of the console but themselves,
    unless they are superusers."""
    sessions = vault().sessions
    if isinstance(thing, User):
        browsers_too = is_superuser or not thing.is_staff
        return Everything(
            _("Revoke everything of %s") % thing,
            _("The person is signed out of every browser, too. They may sign in again, and let apps in anew.")
            if browsers_too
            else _("This is an operator: their browsers stay signed in. Only a superuser can sign them out."),
            lambda: sessions.of_user(thing.pk),
            partial(cascade.revoke_user, thing, browsers_too=browsers_too),
        )
    if isinstance(thing, App):
        return Everything(
            _("Revoke everything of %s") % thing,
            _("What people approved for it is forgotten: it has to ask them again. To keep it out, block it."),
            lambda: cascade.sessions_of_app(thing, limit=LOOKED_FOR),
            partial(cascade.revoke_app, thing),
        )
    if isinstance(thing, Client):
        return Everything(
            _("Revoke everything of %s") % (thing.name or thing.client_id),
            _("What people approved for it is forgotten: it has to ask them again. To keep it out, disable it."),
            lambda: sessions.of_clients([thing.client_id], limit=LOOKED_FOR),
            partial(cascade.revoke_client, thing),
        )
    if isinstance(thing, Provider):
        return Everything(
            _("Revoke every connection to %s") % thing.title,
            _("Sessions whose resource can do without it live on, without it. People may connect it again."),
            lambda: cascade.everybodys_sessions_needing(thing.name, limit=LOOKED_FOR),
            partial(cascade.revoke_upstream, thing.name),
            connections=lambda: len(vault().credentials.people_at(thing.name, limit=LOOKED_FOR)),
        )
    if isinstance(thing, Resource):
        return Everything(
            _("Revoke everything of %s") % thing.name,
            _("People may let apps in anew. To keep everybody out, disable the resource."),
            lambda: sessions.of_resource(thing.identifier, limit=LOOKED_FOR),
            partial(cascade.revoke_resource, thing),
        )
    raise TypeError(f"no sessions hang on {thing!r}")
