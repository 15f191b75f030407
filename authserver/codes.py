"""Authorization codes: 256 random bits, stored as their SHA-256, claimed by one conditional write."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import BigAutoField, DateTimeField, F

from accounts.prepared import Prepared, slot
from accounts.prepared_writes import PreparedInsert, PreparedUpdate
from authserver.models import Client, Grant, Resource

if TYPE_CHECKING:
    from accounts.models import User

MAX_FAILED_ATTEMPTS = 5
MAX_LENGTH = 128


_BY_HASH: Prepared[Grant] = Prepared(
    lambda: Grant.objects.select_related("application__app", "user", "audience").filter(code=slot("code"))
)
_CLAIM = PreparedUpdate(
    lambda: Grant.objects.filter(
        pk=slot("pk", BigAutoField()),
        claimed_at=None,
        expires__gt=slot("now", DateTimeField()),
        failed_attempts__lt=MAX_FAILED_ATTEMPTS,
    ),
    "claimed_at",
)
_INSERT = PreparedInsert(Grant)


def code_hash(code: str) -> str:
    """How a code is known in the database."""
    return hashlib.sha256(code.encode()).hexdigest()


def issue(
    *,
    client: Client,
    user: User,
    resource: Resource,
    tsid: str,
    redirect_uri: str,
    scopes: tuple[str, ...],
    code_challenge: str,
    nonce: str,
    auth_time: datetime | None,
    lifetime_seconds: int,
    now: datetime,
) -> str:
    """Store a new code and return it: the only time it is seen."""
    code = secrets.token_urlsafe(32)
    _INSERT.save(
        Grant(
            code=code_hash(code),
            application=client,
            user=user,
            audience=resource,
            resource=[resource.identifier],
            tsid=tsid,
            redirect_uri=redirect_uri,
            scope=" ".join(scopes),
            code_challenge=code_challenge,
            code_challenge_method="S256",
            nonce=nonce,
            auth_time=auth_time,
            expires=now + timedelta(seconds=lifetime_seconds),
        )
    )
    return code


def find(code: str) -> Grant | None:
    """The code's row with everything a redemption needs, in one read."""
    if len(code) > MAX_LENGTH:
        return None
    return _BY_HASH.first(code=code_hash(code))


def claim(grant: Grant, *, now: datetime) -> bool:
    """Take the code for good: True for exactly one caller, however many try at once."""
    return bool(_CLAIM.run(pk=grant.pk, now=now, claimed_at=now))


def count_failure(grant: Grant) -> None:
    """A wrong verifier: it does not burn the code, five of them do."""
    Grant.objects.filter(pk=grant.pk).update(failed_attempts=F("failed_attempts") + 1)
