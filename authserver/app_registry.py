"""Deciding about apps: one way for the console and for whatever else decides.

Decisions are made one after another, over all processes, and each holds for an app with all of its aliases. Of a block and
anything else that come at the same time the block stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Case, Q, QuerySet, Value, When

from accounts import audit
from authserver import cascade, look_alikes
from authserver.models import App, AppNote, Client

# Any number of ours, the same in every process and no other lock's; PostgreSQL's advisory locks are numbered.
LOCK = 0x6175746873727632
SHARED = ("told", "allowed_scopes", "reusable_refresh_tokens")
"""What an operator sets for an app besides its state."""


class NotVerifiable(Exception):
    """Anybody's registration could be taken for this app: it can be approved, and not verified."""


class Overtaken(Exception):
    """Somebody else has blocked, merged or split it out since it was looked at. Nothing has changed."""


@contextmanager
def one_decision() -> Iterator[None]:
    """A transaction that waits for every other decision about apps; what it reads is what they left.

    SQLite took its write lock at BEGIN (`transaction_mode` IMMEDIATE); PostgreSQL is asked, until the commit.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        yield


def decide(app: App, state: str, *, actor: str, reason: str = "", now: datetime, address: str | None = None) -> int:
    """Set an app's state, and say how many sessions that ended: blocking ends all it has.

    The state is committed before the first session ends: from then on none of its codes, refresh tokens and sessions is
    good for anything, however far the rest gets. `app.state` is what whoever decides has seen; a block of an alias blocks
    its main app with all the others. Raises `NotVerifiable`, `Overtaken`.
    """
    blocks, seen = state == App.State.BLOCKED, app.state
    if state == App.State.VERIFIED and not app.can_be_verified:
        raise NotVerifiable
    if not blocks and App.objects.filter(pk=app.pk, state=App.State.BLOCKED).exists():
        if seen != App.State.BLOCKED:
            raise Overtaken
        # what was opened in the moment of the block would come to life
        cascade.revoke_app(app, reason="app unblocked", actor=actor, address=address)
    with one_decision():
        main = App.objects.get(pk=App.objects.get(pk=app.pk).main_key)
        if not blocks and (main.pk != app.pk or (main.is_blocked and seen != App.State.BLOCKED)):
            raise Overtaken
        decided = {"state": App.State(state), "decided_at": now, "decided_by": actor}
        write(main, decided)
        audit.record(f"app.{state}", actor=actor, reason=reason, address=address, now=now,
                     app=str(main.pk), name=main.name, place=main.place[:200])  # fmt: skip
    for name, value in decided.items():
        setattr(app, name, value)
    return cascade.revoke_app(main, reason="app blocked", actor=actor, address=address).sessions if blocks else 0


def limit(app: App, values: Mapping[str, Any]) -> None:
    """Set what is `SHARED`, and no state. Raises `Overtaken` for an alias: its main app has them."""
    with one_decision():
        if not App.objects.filter(pk=app.pk, merged_into=None).exists():
            raise Overtaken
        write(app, {name: values[name] for name in SHARED})


def write(main: App, values: Mapping[str, Any]) -> None:
    """Store these columns of an app and of its aliases, within `one_decision`.

    Nobody is verified by being an alias of what is: only those that an operator had verified before stay so.
    """
    App.objects.filter(pk=main.pk).update(**values)
    of_aliases: dict[str, Any] = dict(values)
    if values.get("state") == App.State.VERIFIED:
        was_verified = When(state=App.State.VERIFIED, then=Value(App.State.VERIFIED))
        of_aliases["state"] = Case(was_verified, default=Value(App.State.APPROVED))
    App.objects.filter(merged_into=main).update(**of_aliases)


def note(app: App, text: str, *, actor: str, now: datetime, address: str | None = None) -> AppNote:
    """Write something down about an app, for operators. It is only ever added to."""
    with transaction.atomic():
        audit.record("app.noted", actor=actor, address=address, now=now, app=str(app.pk), name=app.name,
                     place=app.place[:200], note=text[:500])  # fmt: skip
        return AppNote.objects.create(app=app, at=now, by=actor[:150], text=text)


def looks_like(client: Client) -> str:
    """The name of an app that operators answer for and that this client could be taken for; empty where there is none.

    By what the client calls itself now: its app has the name that was seen first.
    """
    skeleton = "" if client.app.is_approved else client.identity.skeleton
    if not skeleton:
        return ""
    others = answered_for().filter(skeleton=skeleton).exclude(pk=client.app_id)
    return others.values_list("name", flat=True).first() or ""


def answered_for() -> QuerySet[App]:
    """The apps that others imitate: verified ones, and those that an operator configured."""
    return App.objects.filter(Q(state=App.State.VERIFIED) | Q(kind=App.Kind.CONFIGURED)).order_by("pk")


def imitations(app: App, likeness: str, *, name: str) -> list[str]:
    """What is suspicious about a name under which it was registered: "looks_like", "claims", "mixed_scripts".

    `likeness` is what `looks_like` said. An approval is for the name that the operator saw, and for all that a publisher
    says; an aside after that name is anybody's.
    """
    if app.is_approved and (app.kind != App.Kind.NAMED or name == app.name):
        return []
    found = {
        "looks_like": bool(likeness),
        "claims": look_alikes.claims_something(name),
        "mixed_scripts": look_alikes.mixes_scripts(name),
    }
    return [kind for kind, is_so in found.items() if is_so]
