"""How an upstream of a session stands, in a word: of one link in hand, and the same question put to the database.

It is what a resource server would be told now (`authserver.release`), as far as that is known without opening anything
and without asking the provider: a refresh that the provider is going to refuse looks live until it was tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextChoices,
    Value,
    When,
)
from django.db.models.functions import Concat
from django.db.models.lookups import IsNull
from django.utils.translation import gettext_lazy as _

from accounts.models import Credential, Link


class Standing(TextChoices):
    """The first of these that holds, from the second on, and else the first."""

    LIVE = "live", _("live")
    DEAD = "dead", _("needs a new sign-in")
    LACKS = "lacks_scopes", _("lacks scopes")
    RAN_OUT = "ran_out", _("has run out")
    MISSING = "not_connected", _("not connected")


@dataclass(frozen=True)
class Need:
    """What a resource's server needs of an upstream. Without any it is not one of the resource's (any more)."""

    scopes: tuple[str, ...] = ()
    required: bool = False


Needs = Mapping[str, Mapping[str, Need]]
"""By resource and by provider."""


def of_link(link: Link | None, need: Need, *, now: datetime) -> tuple[Standing, tuple[str, ...]]:
    """With the scopes that are missing: needed, and not both granted by the provider and approved for this session."""
    if link is None:
        return Standing.MISSING, ()
    credential = link.credential
    held = set(link.scope.split()) & set(credential.scope.split())
    missing = tuple(scope for scope in need.scopes if scope not in held)
    if credential.state == Credential.State.DEAD:
        return Standing.DEAD, missing
    if missing:
        return Standing.LACKS, missing
    if not _lasts(credential, now):
        return Standing.RAN_OUT, ()
    return Standing.LIVE, ()


def _lasts(credential: Credential, now: datetime) -> bool:
    """Whether its token is good, or may be refreshed."""
    if credential.expires_at is None or credential.expires_at > now:
        return True
    return credential.refreshable and (credential.refresh_expires_at is None or credential.refresh_expires_at > now)


def having(standing: str, needs: Needs, *, now: datetime, provider: str = "") -> Q:
    """Sessions with an upstream that stands like this; only at this provider, where one is named."""
    if standing == Standing.MISSING:
        return _unconnected(needs, provider)
    links = Link.objects.filter(session=OuterRef("pk"))
    links = links.filter(provider=provider) if provider else links
    if standing == Standing.DEAD:  # said like this, it has an index
        return Q(Exists(links.filter(credential__state=Credential.State.DEAD)))
    asked = links.annotate(**_padded(), resource=ExpressionWrapper(OuterRef("resource"), CharField()))
    return ~_has_none(asked.annotate(standing=_case(needs, now)).filter(standing=standing))


def _has_none(links: QuerySet[Link]) -> Q:
    """Asked of each session that is looked into. An EXISTS would let PostgreSQL read everybody's links instead."""
    return Q(IsNull(Subquery(links.values("pk")[:1]), True))


def _unconnected(needs: Needs, provider: str) -> Q:
    found = Q(pk__in=[])
    for resource, upstreams in needs.items():
        for name, need in upstreams.items():
            if need.required and provider in ("", name):
                found |= Q(resource=resource) & _has_none(Link.objects.filter(session=OuterRef("pk"), provider=name))
    return found & Q(closed_at=None)


def _padded() -> dict[str, Any]:
    """Scopes are texts with a space between: with one around as well, each is found as a whole."""
    space = Value(" ")
    return {
        "approved": Concat(space, F("scope"), space, output_field=CharField()),
        "granted": Concat(space, F("credential__scope"), space, output_field=CharField()),
    }


def _case(needs: Needs, now: datetime) -> Case:
    over = Q(credential__expires_at__lte=now) & (
        Q(credential__refreshable=False) | Q(credential__refresh_expires_at__lte=now)
    )
    return Case(
        When(credential__state=Credential.State.DEAD, then=Value(str(Standing.DEAD))),
        When(_lacking(needs), then=Value(str(Standing.LACKS))),
        When(over, then=Value(str(Standing.RAN_OUT))),
        default=Value(str(Standing.LIVE)),
        output_field=CharField(),
    )


def _lacking(needs: Needs) -> Q:
    found = Q(pk__in=[])
    for resource, upstreams in needs.items():
        for name, need in upstreams.items():
            held = Q()
            for scope in need.scopes:
                held &= Q(approved__contains=f" {scope} ", granted__contains=f" {scope} ")
            if need.scopes:
                found |= Q(resource=resource, provider=name) & ~held
    return found
