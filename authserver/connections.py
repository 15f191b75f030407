"""Where to send a person whose upstream connection is missing, dead, or lacks scopes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.core import signing

from authserver.conf import load
from upstream.models import Provider

LIFETIME_SECONDS = 900
MAX_SCOPE, MAX_SCOPES_LENGTH = (
    256,
    2000,
)  # the link has to fit into a line of HTTP; what is left out is asked for next time
_SALT = "authserver.connect"


@dataclass(frozen=True)
class Ticket:
    """What a `connect_url` stands for: this upstream for this session of this person, with these scopes besides.

    `id` is random and the link's own: by it the link is used once.
    """

    id: UUID
    tsid: str
    user_id: UUID
    provider: str
    scopes: tuple[str, ...]


def connect_url(tsid: str, user_id: UUID, provider: Provider, scopes: Sequence[str] = ()) -> str:
    """A signed link to our own page, good for 15 minutes and once; it gives nothing but the offer to connect."""
    told = [secrets.token_hex(16), tsid, user_id.hex, provider.name, _bounded(scopes)]
    return load().url(f"/oauth/connect/{signing.dumps(told, salt=_SALT, compress=True)}")


def read_ticket(unverified: str, *, max_age_seconds: int | None = LIFETIME_SECONDS) -> Ticket | None:
    """The ticket, or None for one that is not ours or too old."""
    try:
        ticket_id, tsid, user_id, provider, scopes = signing.loads(unverified, salt=_SALT, max_age=max_age_seconds)
    except (signing.BadSignature, ValueError):
        return None
    return Ticket(UUID(ticket_id), tsid, UUID(user_id), provider, tuple(scopes))


def _bounded(scopes: Sequence[str]) -> list[str]:
    """Callers choose them: as many as fit, of those that can be scopes (RFC 6749 section 3.3)."""
    kept: list[str] = []
    for scope in scopes:
        fits = len(scope) <= MAX_SCOPE and sum(map(len, kept)) + len(scope) <= MAX_SCOPES_LENGTH
        if fits and scope.isascii() and scope.isprintable() and not {" ", '"', "\\"} & set(scope):
            kept.append(scope)
    return kept
