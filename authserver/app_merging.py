"""Merging apps that are really one, and splitting an alias out again (docs/decisions/0016-a-merge-lends-no-badge.md).

No registration moves: it goes on belonging to the app that its own identity names, which is an alias now. So a registration
that arrives during a merge needs nothing of it, and what registers afterwards under the alias's identity joins by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from django.db.models import F

from accounts import audit
from authserver import app_registry, cascade
from authserver.models import App

MOST = 20
"""Apps that are merged at once."""
TRUST = (App.State.BLOCKED, App.State.PENDING, App.State.APPROVED, App.State.VERIFIED)
"""From the least to the most."""


class Block(StrEnum):
    """What becomes of a block that some of the apps have and others do not."""

    EXTEND = "extend"
    """All of them are blocked, and the sessions of those that were not end."""
    LIFT = "lift"
    """It is over. What was opened under it ends all the same."""


class Refused(Exception):
    """Nothing has changed."""


class Overtaken(Refused):
    """One of the apps has been decided about, merged or removed since the operator looked."""


class NotMergeable(Refused):
    """Configured clients are each an app of their own; and it takes two apps."""


class BlockUndecided(Refused):
    """Some of the apps are blocked: the operator has to say which `Block` it is to be."""


@dataclass(frozen=True)
class Done:
    """`receipt` finds each step in the audit trail."""

    receipt: UUID
    sessions: int


def blocks(main: App, others: Sequence[App]) -> tuple[Block, ...]:
    """What may be said of the block; nothing where none or all of them are blocked. A merge lifts no block of the app that
    stays: that is a decision of its own."""
    blocked = {app.is_blocked for app in (main, *others)}
    if len(blocked) == 1:
        return ()
    return (Block.EXTEND,) if main.is_blocked else (Block.EXTEND, Block.LIFT)


def afterwards(main: App, others: Sequence[App], block: str) -> dict[int, App.State]:
    """The state of each app once they are merged, by primary key. Raises `NotMergeable`, `BlockUndecided`.

    That of the one that stays holds for all; but its badge is its own, and an alias has one only if it had it before.
    """
    if not others or len(others) >= MOST or any(app.kind == App.Kind.CONFIGURED for app in (main, *others)):
        raise NotMergeable
    choices = blocks(main, others)
    if choices and block not in choices:
        raise BlockUndecided
    state = App.State.BLOCKED if choices and block == Block.EXTEND else App.State(main.state)
    found = {main.pk: state}
    for app in others:
        badge_stays = state != App.State.VERIFIED or app.state == App.State.VERIFIED
        found[app.pk] = state if badge_stays else App.State.APPROVED
    return found


def merge(
    main_key: int,
    others: Sequence[int],
    *,
    seen: Mapping[int, str],
    block: str,
    actor: str,
    reason: str,
    now: datetime,
    address: str | None = None,
) -> Done:
    """Merge the apps with these primary keys into one of them. `seen` is the state of each that the operator was shown.

    One transaction; sessions that end do so right after it, and those under a block that is lifted right before. Raises
    `Refused`.
    """
    keys, receipt = [main_key, *others], uuid4()
    if block == Block.LIFT:  # what was opened in the moment of the block would come to life
        for app in App.objects.filter(pk__in=others, state=App.State.BLOCKED, merged_into=None).order_by("pk"):
            cascade.revoke_app(app, reason="app unblocked", actor=actor, address=address, receipt=receipt)
    with app_registry.one_decision():
        found = App.objects.select_for_update().filter(pk__in=keys).order_by("pk")  # nor does maintenance remove one
        rows = {app.pk: app for app in found}
        if any(key not in rows or rows[key].merged_into_id or rows[key].state != seen.get(key) for key in keys):
            raise Overtaken
        main, merged = rows[main_key], [rows[key] for key in others]
        after = afterwards(main, merged, block)
        for app in merged:
            _record_merge(app, main, after[app.pk], block=block, actor=actor, reason=reason, receipt=receipt, now=now,
                          address=address)  # fmt: skip
        App.objects.filter(merged_into__in=others).update(merged_into=main)
        App.objects.filter(pk__in=others).update(
            merged_into=main, state_before_merge=F("state"), decided_at=now, decided_by=actor
        )
        state = after[main_key]
        decided = {"decided_at": now, "decided_by": actor} if state != main.state else {}
        app_registry.write(
            main, {**{name: getattr(main, name) for name in app_registry.SHARED}, "state": state, **decided}
        )
        if decided:
            audit.record("app.blocked", actor=actor, reason=reason, address=address, now=now, receipt=receipt,
                         app=str(main.pk), name=main.name, place=main.place[:200])  # fmt: skip
    ends = state == App.State.BLOCKED and any(seen[key] != App.State.BLOCKED for key in keys)
    return Done(receipt, _end(main, ends, actor, address, receipt))


def _record_merge(
    app: App,
    main: App,
    after: str,
    *,
    block: str,
    actor: str,
    reason: str,
    receipt: UUID,
    now: datetime,
    address: str | None,
) -> None:
    """With what was and what is, as for every change of an operator's."""
    changes = {name: [getattr(app, name), getattr(main, name)] for name in app_registry.SHARED}
    changes = {name: values for name, values in changes.items() if values[0] != values[1]}
    audit.record("app.merged", actor=actor, reason=reason, address=address, now=now, receipt=receipt,
                 app=str(app.pk), name=app.name, place=app.place[:200], into=str(main.pk), into_name=main.name,
                 into_place=main.place[:200], block=block,
                 changes={"state": [app.state, str(after)], **changes})  # fmt: skip


def state_after_split(alias: App) -> App.State:
    """What it was before the merge, or less where it is trusted less now."""
    return min(App.State(alias.state_before_merge), App.State(alias.state), key=TRUST.index)


def split(
    main_key: int,
    alias_key: int,
    *,
    seen: str,
    actor: str,
    reason: str,
    now: datetime,
    address: str | None = None,
) -> Done:
    """Make an alias an app of its own again, in the state of `state_after_split`; else it keeps what is set for it now.

    `seen` is the state that the operator was shown for afterwards. Raises `Overtaken`.
    """
    receipt = uuid4()
    with app_registry.one_decision():
        alias = App.objects.select_for_update().filter(pk=alias_key, merged_into=main_key).first()
        if alias is None or state_after_split(alias) != seen:
            raise Overtaken
        before, after = alias.state, state_after_split(alias)
        App.objects.filter(pk=alias_key).update(
            merged_into=None, state_before_merge="", state=after, decided_at=now, decided_by=actor
        )
        audit.record("app.split", actor=actor, reason=reason, address=address, now=now, receipt=receipt,
                     app=str(alias.pk), name=alias.name, place=alias.place[:200], out_of=str(main_key),
                     changes={"state": [before, str(after)]})  # fmt: skip
    ends = after == App.State.BLOCKED and before != App.State.BLOCKED
    return Done(receipt, _end(alias, ends, actor, address, receipt))


def _end(app: App, ends: bool, actor: str, address: str | None, receipt: UUID) -> int:
    if not ends:
        return 0
    return cascade.revoke_app(app, reason="app blocked", actor=actor, address=address, receipt=receipt).sessions
