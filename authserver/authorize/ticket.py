"""The consent form's own ticket: the request it shows, signed and bound to one browser and one person.

So a GET writes nothing, and an approval can only come from the page we showed to this browser.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.core import signing

_SALT = "authserver.consent"


@dataclass(frozen=True)
class Ticket:
    """`raw` is the client's request, `person` the user id it was shown to (empty: nobody was signed in), `offered` the
    upstreams that the page let the person leave out, `shown` the digest of what it said (`consent.digest`)."""

    id: uuid.UUID
    raw: dict[str, str]
    browser_hash: str
    person: str
    offered: tuple[str, ...] = ()
    shown: str = ""

    def dumps(self) -> str:
        told = [self.id.hex, self.raw, self.browser_hash, self.person, self.offered, self.shown]
        return signing.dumps(told, salt=_SALT, compress=True)


class Expired(Exception):
    """A genuine ticket past its time; `raw` allows to start again."""

    def __init__(self, raw: dict[str, str]) -> None:
        super().__init__("expired")
        self.raw = raw


def loads(unverified: str, *, max_age_seconds: int) -> Ticket | None:
    """The ticket; None for one that is not ours. Raises `Expired`."""
    try:
        ticket = _read(unverified, None)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    try:
        return _read(unverified, max_age_seconds)
    except signing.SignatureExpired:
        raise Expired(ticket.raw) from None


def _read(unverified: str, max_age_seconds: int | None) -> Ticket:
    ticket_id, raw, browser_hash, person, offered, shown = signing.loads(
        unverified, salt=_SALT, max_age=max_age_seconds
    )
    return Ticket(uuid.UUID(ticket_id), raw, browser_hash, person, tuple(offered), shown)
