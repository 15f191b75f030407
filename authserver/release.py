"""The vault's rule of access, in one place: when an upstream token leaves, to whom, and what is written first.

To an authenticated resource server, for a live session whose resource is one of that server's, whose user and client
match, for an upstream the resource names, within the scopes approved. All of it is checked before any refresh; the
audit row is written before the answer is sent.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.db.models import Exists

from accounts import audit
from accounts.vault.base import Entry, SessionGone
from authserver.claims import AccessClaims
from authserver.errors import OAuthError
from authserver.models import AccessToken, Client
from authserver.resource_servers import Standing
from upstream.errors import MissingScope, NeedsReauthorization, NotConnected, TemporarilyUnavailable
from upstream.models import Provider
from upstream.refresh import Fresh, fresh_tokens


class Refused(Exception):
    """The session or its client no longer allows a release; the message is for the log."""


def jti_checksum(jti: str) -> str:
    """How an access token that was ended early is known."""
    return hashlib.sha256(jti.encode()).hexdigest()


def check_client(claims: AccessClaims) -> None:
    """The client still exists and is enabled, and this very token was not ended. One statement. Raises `Refused`."""
    ended = AccessToken.objects.filter(token_checksum=jti_checksum(claims.jti))
    row = (
        Client.objects.filter(client_id=claims.client_id)
        .annotate(ended=Exists(ended))
        .values_list("disabled_at", "ended")
        .first()
    )
    if row is None or row[0] is not None:
        raise Refused("the client is gone or disabled")
    if row[1]:
        raise Refused("the access token was revoked")


def upstream_token(
    standing: Standing,
    claims: AccessClaims,
    provider: Provider,
    *,
    wanted_scopes: tuple[str, ...],
    address: str | None,
    now: datetime,
) -> Fresh:
    """The person's upstream token, fresh.

    Raises `Refused`, or the upstream's state: `NotConnected`, `NeedsReauthorization`, `MissingScope`,
    `TemporarilyUnavailable`. Every outcome is in the audit trail.
    """

    def accept(entry: Entry) -> None:
        session = entry.session
        if not session.user_is_active:
            raise Refused("the user is not active")
        if (session.user_id, session.client_id, session.resource) != (
            claims.subject, claims.client_id, claims.audience,
        ):  # fmt: skip
            raise Refused("the token and its session disagree")

    def note(outcome: str, reason: str = "") -> None:
        audit.record(
            "vault.release",
            outcome=outcome,
            reason=reason,
            actor=f"resource_server:{standing.client_id}",
            user_id=claims.subject,
            client_id=claims.client_id,
            tsid=claims.tsid,
            resource=claims.audience,
            upstream=provider.name,
            address=address,
            now=now,
        )

    try:
        check_client(claims)
        if not provider.enabled:
            raise Refused("the upstream is disabled")
        fresh = fresh_tokens(claims.tsid, provider, now=now, wanted_scopes=wanted_scopes, accept=accept)
    except SessionGone:
        note("refused", "session_gone")
        raise Refused("the session is gone") from None
    except Refused as refused:
        note("refused", str(refused))
        raise
    except (NotConnected, NeedsReauthorization, MissingScope, TemporarilyUnavailable) as state:
        note("failed", state_of(state))
        raise
    note("ok")
    return fresh


def state_of(error: Exception) -> str:
    """The `state` member of interface.md for an upstream error."""
    if isinstance(error, NotConnected):
        return "not_connected"
    if isinstance(error, MissingScope):
        return "missing_scope"
    if isinstance(error, TemporarilyUnavailable):
        return "temporarily_unavailable"
    return "needs_reauthorization"


def describe(error: Exception, provider: Provider, connect_url: str) -> OAuthError:
    """The OAuth error for an upstream state: what happened, in words, and where to send the person."""
    state = state_of(error)
    if isinstance(error, TemporarilyUnavailable):
        return OAuthError(
            "temporarily_unavailable",
            f"{provider.title} does not answer properly at the moment. Try again shortly.",
            status=503,
            headers={"Retry-After": str(error.retry_after_seconds)},
            members={"state": state},
            detail=error.reason,
        )
    words = {
        "not_connected": f"The person has not connected {provider.title}.",
        "missing_scope": f"The person has not approved these scopes of {provider.title}.",
        "needs_reauthorization": f"{provider.title} no longer honours the stored grant; the person must sign in again.",
    }
    members: dict[str, object] = {"state": state, "connect_url": connect_url}
    if isinstance(error, MissingScope):
        members["missing_scopes"] = list(error.missing_scopes)
    return OAuthError("invalid_grant", words[state], members=members)
