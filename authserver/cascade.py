"""Ending things: the one list of what dies, in order. Every way to end a session calls this.

The refresh lineage and open codes die first, then the session with its links and unused credentials: at any crash
point what is left cannot renew itself, and the session row is what every other check asks. What a provider is to be told
of a credential's end is queued with it, and `upstream.revoke` works that queue.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.utils import timezone

from accounts import audit
from accounts.models import User
from accounts.vault import vault
from authserver.models import App, Client, Consent, Grant, RefreshToken
from upstream.revoke import providers_to_tell


def revoke_session(tsid: str, *, reason: str, actor: str = "") -> bool:
    """End one token session for good. Idempotent; True where this call ended it."""
    return bool(_revoke([tsid], reason, actor))


def revoke_client(client: Client, *, reason: str, actor: str = "") -> int:
    """End every session of a client and forget the consents given to it. Returns how many sessions ended."""
    Consent.objects.filter(client=client).delete()
    return _revoke(vault().sessions.of_client(client.client_id), reason, actor)


def revoke_app(app: App, *, reason: str, actor: str = "") -> int:
    """End every session of every client of an app. Returns how many ended."""
    clients = Client.objects.filter(app=app).order_by("pk")
    return sum(revoke_client(client, reason=reason, actor=actor) for client in clients.iterator(chunk_size=500))


def revoke_user(user: User, *, reason: str, actor: str = "") -> int:
    """End every session of a person. Returns how many ended."""
    return _revoke(vault().sessions.of_user(user.pk), reason, actor)


def _revoke(tsids: Iterable[str], reason: str, actor: str) -> int:
    """Each in its own transactions: what is ended stays ended, whatever happens to the next."""
    revoke_at, ended = providers_to_tell(), 0
    for tsid in tsids:
        now = timezone.now()
        RefreshToken.objects.filter(tsid=tsid, revoked=None).update(
            revoked=now, replay_checksum="", replay_sealed="", replay_until=None
        )
        Grant.objects.filter(tsid=tsid, claimed_at=None).update(claimed_at=now)
        if vault().sessions.close(tsid, reason=reason, now=now, revoke_at=revoke_at):
            audit.record("session.revoked", tsid=tsid, reason=reason, actor=actor, now=now)
            ended += 1
    return ended
