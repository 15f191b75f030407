"""Ending things: the one list of what dies, in order. Every way to end a session calls this.

The refresh lineage and open codes die first, then the session with its links and unused credentials: at any crash
point what is left cannot renew itself, and the session row is what every other check asks.
"""

from __future__ import annotations

from django.utils import timezone

from accounts import audit
from accounts.models import User
from accounts.vault import vault
from authserver.models import Client, Consent, Grant, RefreshToken


def revoke_session(tsid: str, *, reason: str, actor: str = "") -> bool:
    """End one token session for good. Idempotent; True where this call ended it."""
    now = timezone.now()
    RefreshToken.objects.filter(tsid=tsid, revoked=None).update(
        revoked=now, replay_checksum="", replay_sealed="", replay_until=None
    )
    Grant.objects.filter(tsid=tsid, claimed_at=None).update(claimed_at=now)
    ended = vault().sessions.close(tsid, reason=reason, now=now)
    if ended:
        audit.record("session.revoked", tsid=tsid, reason=reason, actor=actor, now=now)
    return ended


def revoke_client(client: Client, *, reason: str, actor: str = "") -> int:
    """End every session of a client and forget the consents given to it. Returns how many sessions ended."""
    Consent.objects.filter(client=client).delete()
    return sum(
        revoke_session(tsid, reason=reason, actor=actor) for tsid in vault().sessions.of_client(client.client_id)
    )


def revoke_user(user: User, *, reason: str, actor: str = "") -> int:
    """End every session of a person. Returns how many ended."""
    return sum(revoke_session(tsid, reason=reason, actor=actor) for tsid in vault().sessions.of_user(user.pk))
