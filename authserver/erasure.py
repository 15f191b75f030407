"""A person who is to be forgotten: nothing is left that opens anything or says who they were.

At once: their sessions end, their sealed tokens are destroyed, what providers know them by is forgotten, and their row
says nothing any more. The empty row itself goes a little later (`purge`), because servers that check tokens offline still
have to hear which sessions ended. The audit trail keeps what happened, under the opaque id that nobody is behind now; a
token that a provider is still to be told to revoke stays sealed in the queue until it has been, a week at most.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from accounts import audit, browser_sessions
from accounts.models import TokenSession, User
from accounts.vault import vault
from authserver import cascade
from authserver.cascade import Receipt
from authserver.models import (
    ApprovalRequest,
    Authenticator,
    Consent,
    PendingAuthorization,
    PendingConnection,
    RecoveryCode,
)
from upstream import identities
from upstream.revoke import providers_to_tell

KEPT = timedelta(days=2)
"""Longer than any access token lives, and any feed of ended sessions looks back."""


def forget(user: User, *, reason: str, actor: str = "", address: str | None = None, now: datetime) -> Receipt:
    """Idempotent. The person can do nothing from the first write on, however far the rest gets."""
    User.objects.filter(pk=user.pk).update(is_active=False)
    browser_sessions.end_all(user.pk)
    receipt = cascade.revoke_user(user, reason=reason, actor=actor, address=address)
    for provider in {credential.provider for credential in vault().credentials.of_user(user.pk)}:
        closed = vault().credentials.destroy(
            user.pk, provider, now=now, revoke_at=providers_to_tell(), receipt=receipt.id
        )
        receipt.add(closed)
    with transaction.atomic():
        identities.forget(user.pk)
        _say_nothing(user, now)
        audit.record("user.forgotten", reason=reason, actor=actor, address=address, user_id=user.pk,
                     receipt=receipt.id, now=now, destroyed=dict(receipt.destroyed))  # fmt: skip
    return receipt


def _say_nothing(user: User, now: datetime) -> None:
    Consent.objects.filter(user=user).delete()
    for model in (PendingAuthorization, PendingConnection, ApprovalRequest, Authenticator, RecoveryCode):
        model.objects.filter(user_id=user.pk).delete()
    TokenSession.objects.filter(user=user).update(address=None, user_agent="", redirect_host="")
    user.set_unusable_password()
    User.objects.filter(pk=user.pk).update(
        username=f"forgotten-{user.pk.hex}", name="", email="", password=user.password, is_staff=False,
        staff_from_upstream="", is_superuser=False, last_login=None, forgotten_at=now,
    )  # fmt: skip
    user.groups.clear()
    user.user_permissions.clear()


def purge(*, now: datetime, limit: int) -> int:
    """Delete the empty rows of people forgotten `KEPT` ago, with their ended sessions; how many."""
    over = User.objects.filter(forgotten_at__lte=now - KEPT).order_by("forgotten_at")[:limit]
    deleted = 0
    for user in over:
        deleted += bool(user.delete()[0])
    return deleted
