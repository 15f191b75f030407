"""Where to send a person whose upstream connection is missing, dead, or lacks scopes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.core import signing

from authserver.conf import load
from upstream.models import Provider

LIFETIME_SECONDS = 900
_SALT = "authserver.connect"


@dataclass(frozen=True)
class Ticket:
    """What a `connect_url` stands for: renew this upstream for this session, with these scopes besides."""

    tsid: str
    provider: str
    scopes: tuple[str, ...]


def connect_url(tsid: str, provider: Provider, scopes: Sequence[str] = ()) -> str:
    """A signed link to our own page, good for 15 minutes; it gives nothing but the offer to sign in upstream."""
    ticket = signing.dumps([tsid, provider.name, list(scopes)], salt=_SALT, compress=True)
    return load().url(f"/oauth/connect/{ticket}")


def read_ticket(unverified: str) -> Ticket | None:
    """The ticket, or None for one that is not ours or too old."""
    try:
        tsid, provider, scopes = signing.loads(unverified, salt=_SALT, max_age=LIFETIME_SECONDS)
    except (signing.BadSignature, ValueError):
        return None
    return Ticket(tsid, provider, tuple(scopes))
