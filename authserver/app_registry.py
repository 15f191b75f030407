"""Deciding about apps: one way for the console and for whatever else decides."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import audit
from authserver import cascade, look_alikes
from authserver.models import App, Client


class NotVerifiable(Exception):
    """Anybody's registration could be taken for this app: it can be approved, and not verified."""


def decide(app: App, state: str, *, actor: str, reason: str = "", now: datetime, address: str | None = None) -> int:
    """Set an app's state, and say how many sessions that ended: blocking ends all it has.

    The state is committed before the first session ends: from then on none of its codes, refresh tokens and sessions is
    good for anything, however far the rest gets. Raises `NotVerifiable`.
    """
    if state == App.State.VERIFIED and not app.can_be_verified:
        raise NotVerifiable
    was_blocked = App.objects.filter(pk=app.pk, state=App.State.BLOCKED).exists()
    if was_blocked and state != App.State.BLOCKED:  # what was opened in the moment of the block would come to life
        cascade.revoke_app(app, reason="app unblocked", actor=actor, address=address)
    with transaction.atomic():
        app.state, app.decided_at, app.decided_by = App.State(state), now, actor
        app.save(update_fields=["state", "decided_at", "decided_by"])
        audit.record(f"app.{state}", actor=actor, reason=reason, address=address, now=now,
                     app=str(app.pk), name=app.name, place=app.place[:200])  # fmt: skip
    if not app.is_blocked:
        return 0
    return cascade.revoke_app(app, reason="app blocked", actor=actor, address=address).sessions


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
