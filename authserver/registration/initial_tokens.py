"""Initial access tokens (RFC 7591 section 3): an operator's word that whoever holds one may register so many clients.

256 random bits behind a prefix, opaque, and no token of any other endpoint; the SHA-256 is stored. A use is one
conditional write, so that of many at once no more get in than were allowed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from accounts import audit
from authserver.models import InitialAccessToken

PREFIX = "iat_"
MAX_USES = 10_000
MAX_DAYS = 366
_BEARER = re.compile(r"bearer +(iat_[A-Za-z0-9_-]{43})", re.IGNORECASE)  # RFC 6750 section 2.1


def give_token(row: InitialAccessToken) -> str:
    """A new token for an unsaved row: shown by the caller, once, and kept by nobody."""
    token = PREFIX + secrets.token_urlsafe(32)
    row.token_hash = _digest(token)
    return token


def mint(*, label: str, uses: int, days: int, made_by: str, now: datetime) -> str:
    """Make one, for `uses` registrations within `days`."""
    row = InitialAccessToken(label=label, max_uses=uses, created_at=now, expires_at=now + timedelta(days=days))
    token = give_token(row)
    with transaction.atomic():
        row.save(force_insert=True)
        audit.record("registration.token_created", actor=made_by, token=str(row.pk), label=label, uses=uses, days=days)
    return token


def presented(authorization: str) -> str:
    """The hash of the initial access token in an `Authorization` header; empty where there is none."""
    found = _BEARER.fullmatch(authorization.strip())
    return _digest(found[1]) if found else ""


def is_good(token_hash: str, *, now: datetime) -> bool:
    """Whether it would let somebody register now. One statement, none for an empty hash."""
    return bool(token_hash) and _good(token_hash, now).exists()


def spend(token_hash: str, *, now: datetime) -> InitialAccessToken | None:
    """Use it once; None where it is used up, over or unknown. In the transaction of the registration it allows."""
    if not _good(token_hash, now).update(uses=F("uses") + 1):
        return None
    return InitialAccessToken.objects.get(token_hash=token_hash)


def _good(token_hash: str, now: datetime) -> QuerySet[InitialAccessToken]:
    return InitialAccessToken.objects.filter(
        token_hash=token_hash, revoked_at=None, expires_at__gt=now, uses__lt=F("max_uses")
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
