"""Turning signing keys over, for the key source `database`: published ahead, signing, retired, gone.

A verifier holds the JWKS for its `max-age`, and a cache in front of us may have held it before. So a key is published
for some time before it signs, and stays after it did until the last token that it signed has ended. Whoever turns keys
(`maintenance` on every host, the command, the console) does it with these functions; the constraints of one active and
one next key decide who wins. Times are arguments. Everything here reads and writes rows; the processes that sign read
them every few seconds.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.module_loading import import_string

from accounts import audit
from authserver import policy
from authserver.conf import load
from authserver.keys import signer
from authserver.keys.base import SigningUnavailable
from authserver.keys.database import DatabaseSigner, create, opens
from authserver.models import SigningKey
from authserver.policy import MAX_ACCESS_TOKEN_SECONDS

Phase = SigningKey.Phase

PUBLISHED_AHEAD = timedelta(hours=6)
"""In an orderly turn: API gateways are known to hold a JWKS for two hours, whatever it says."""
PUBLISHED_AT_LEAST = timedelta(minutes=10)
"""For somebody in a hurry: twice the `max-age` of the JWKS, once for a shared cache and once for the verifier."""
KEPT_RETIRED = timedelta(seconds=MAX_ACCESS_TOKEN_SECONDS) + timedelta(minutes=10)
"""The longest life a token can have been given (one that was shortened since counts too), and a margin for clocks and for
processes that learn of the turn a moment later."""


class NotHere(Exception):
    """The key source is not `database`, and its keys are turned over elsewhere; the message says how."""


class NoSuchKey(Exception):
    """No key has this `kid`, or no longer."""


@dataclass(frozen=True)
class Turn:
    """What was done, by `kid`: at most one key published, at most one that signs now, those that are over."""

    published: str = ""
    activated: str = ""
    removed: tuple[str, ...] = ()


def check_source() -> None:
    """Raises `NotHere`."""
    backend = import_string(load().signing_backend)
    if not issubclass(backend, DatabaseSigner):
        raise NotHere(getattr(backend, "turned_over", "Its own documentation says how its keys are turned over."))


def keep_schedule(*, now: datetime) -> Turn:
    """Go on with a turn that was begun; begin one when the active key is old enough. Nothing for other key sources."""
    try:
        check_source()
    except NotHere:
        return Turn()
    return advance(now=now, actor="maintenance", only_due=True)


def advance(*, now: datetime, actor: str, only_due: bool = False, ahead: timedelta = PUBLISHED_AHEAD) -> Turn:
    """The next step of a turn, whatever that is. With `only_due` none is begun before its time.

    A next key takes over once it has been published for `ahead`. Without an active key nothing is done: the first process
    that signs makes it. Raises `NotHere`, and `SigningUnavailable` or `SealingUnavailable` where the next key does not open
    here, or none can be made.
    """
    check_source()
    removed = _remove(now=now, actor=actor)
    # In one statement: after somebody else's turn, the old active key and no next one would look like a turn to begin.
    current = {row.phase: row for row in SigningKey.objects.exclude(phase=Phase.RETIRED)}
    active, following = current.get(Phase.ACTIVE), current.get(Phase.NEXT)
    published = activated = ""
    if active is None:
        pass
    elif following is None:
        if not only_due or turn_begins_at(active) <= now:
            published = _publish(now=now, actor=actor)
    elif following.created_at + ahead <= now:
        activated = following.kid if _activate(following, now=now, actor=actor) else ""
    if removed or published or activated:
        _forget()
    return Turn(published, activated, removed)


def revoke(kids: Collection[str], *, now: datetime, actor: str, reason: str, address: str | None = None) -> str:
    """Emergency: these keys sign and verify nothing any more; the `kid` of the key that signs from now on.

    Where the active one goes, the next one takes over (verifiers may know it already); without one, a new key does.
    Sessions and refresh tokens live on. Raises `NotHere`, `NoSuchKey`, and `SealingUnavailable` where no key can be made;
    then nothing has changed.
    """
    check_source()
    with transaction.atomic():
        rows = {row.kid: row for row in SigningKey.objects.select_for_update().order_by("kid")}
        if unknown := [kid for kid in kids if kid not in rows]:
            raise NoSuchKey(", ".join(unknown))
        for kid in dict.fromkeys(kids):
            rows.pop(kid).delete()
            audit.record("signing_key.revoked", actor=actor, reason=reason, address=address, kid=kid, now=now)
        signing = next((row for row in rows.values() if row.phase == Phase.ACTIVE), None)
        if signing is None:
            following = next((row for row in rows.values() if row.phase == Phase.NEXT and opens(row)), None)
            signing = following or create(Phase.ACTIVE, now=now, actor=actor)
            if following:
                SigningKey.objects.filter(pk=following.pk).update(phase=Phase.ACTIVE, activated_at=now)
                audit.record("signing_key.activated", actor=actor, kid=following.kid, now=now)
    _forget()
    return signing.kid


def turn_begins_at(active: SigningKey) -> datetime:
    """When the next key is published, so that it takes over at the end of `lifetimes.signing_key`."""
    lifetime = timedelta(seconds=policy.current().lifetimes.signing_key)
    return (active.activated_at or active.created_at) + lifetime - PUBLISHED_AHEAD


def leaves_at(retired: SigningKey) -> datetime | None:
    """When it is over; None where nobody noted when it was retired."""
    return retired.retired_at + KEPT_RETIRED if retired.retired_at else None


def _publish(*, now: datetime, actor: str) -> str:
    try:
        return create(Phase.NEXT, now=now, actor=actor).kid
    except IntegrityError:  # somebody else just did
        return ""


def _activate(following: SigningKey, *, now: datetime, actor: str) -> bool:
    """False where somebody else was quicker. Both keys change in one transaction: no reader finds none that signs, or two."""
    if not opens(following):
        raise SigningUnavailable(
            f"the next signing key {following.kid} does not open here: revoke it, or mend its vault key"
        )
    try:
        with transaction.atomic():
            rows = SigningKey.objects.select_for_update().exclude(phase=Phase.RETIRED).order_by("kid")
            current = {row.phase: row.kid for row in rows}  # locked in the order of `revoke`, and as they are by now
            if current.get(Phase.NEXT) != following.kid:
                return False
            SigningKey.objects.filter(phase=Phase.ACTIVE).update(phase=Phase.RETIRED, retired_at=now)
            SigningKey.objects.filter(pk=following.kid).update(phase=Phase.ACTIVE, activated_at=now)
            retired = current.get(Phase.ACTIVE, "")
            audit.record("signing_key.activated", actor=actor, kid=following.kid, retired=retired, now=now)
    except IntegrityError:  # a key was made meanwhile where there was none
        return False
    return True


def _remove(*, now: datetime, actor: str) -> tuple[str, ...]:
    """Delete the retired keys whose last token has ended."""
    with transaction.atomic():
        over = SigningKey.objects.filter(phase=Phase.RETIRED, retired_at__lte=now - KEPT_RETIRED)
        kids = tuple(over.select_for_update(skip_locked=True).order_by("retired_at").values_list("kid", flat=True))
        SigningKey.objects.filter(pk__in=kids).delete()
        for kid in kids:
            audit.record("signing_key.removed", actor=actor, kid=kid, now=now)
    return kids


def _forget() -> None:
    """The process that did it sees it at once."""
    if isinstance(ours := signer(), DatabaseSigner):
        ours.forget()
