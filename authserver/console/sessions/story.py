"""A session's whole story, for one page: who, what, since when, until when, and what came of it.

Each part is read for whoever may see the list behind it. However long the session lived, the same few statements of
bounded reach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from accounts import devices
from accounts.models import AuditEvent, Link, Revocation, TokenSession
from authserver import receipts
from authserver.console.sessions import trail
from authserver.console.sessions.beside import KnownResource, Upstream, app_of, beside, configured
from authserver.console.sessions.trail import Told
from authserver.models import App, Client, Consent, RefreshToken, ResourceServer
from authserver.receipts import Preview
from authserver.scopes import IDENTITY_SCOPES

SOME = 20
REUSED = {
    "refresh_token_reuse": _(
        "A refresh token was used again after its turn: somebody may have copied it. That ended it."
    ),
    "code_replay": _("Its authorization code was used a second time: somebody may have copied it. That ended it."),
}


@dataclass(frozen=True)
class Connection:
    """An upstream of the session. `others` counts the open sessions that use the same credential; `failure` is the newest
    error of it in this session."""

    upstream: Upstream
    others: int = 0
    failure: trail.Row | None = None


@dataclass(frozen=True)
class Story:
    """All that is shown; what whoever asks may not see is empty or None."""

    session: TokenSession
    is_live: bool
    device: str
    client: Client | None
    app: App | None
    resource: KnownResource | None
    scopes: Sequence[tuple[str, str]]
    connections: Sequence[Connection]
    servers: Sequence[ResourceServer]
    refresh_tokens: Sequence[RefreshToken]
    reused: Any
    granted: AuditEvent | None
    consent: Consent | None
    told: Told | None
    preview: Preview | None
    revocations: Sequence[Revocation]


def of(session: TokenSession, *, may: Callable[[str], bool], now: datetime) -> Story:
    """`may` says whether whoever asks has a permission."""
    known = configured()
    seen = beside([session], known, now=now)
    client, resource = seen.clients.get(session.client_id), known.resources.get(session.resource)
    told = trail.of(session.tsid) if may("accounts.view_auditevent") else None
    return Story(
        session=session,
        is_live=session.closed_at is None and session.idle_expires_at > now and session.expires_at > now,
        device=devices.describe(session.user_agent),
        client=client,
        app=app_of(client) if client else None,
        resource=resource,
        scopes=_in_words(session.scope, resource),
        connections=_connections(seen.upstreams.get(session.tsid, ()), told),
        servers=_servers(resource) if may("authserver.view_resourceserver") else (),
        refresh_tokens=_refresh_tokens(session) if may("authserver.view_refreshtoken") else (),
        reused=REUSED.get(session.close_reason, ""),
        granted=trail.granted(session.tsid) if told is not None else None,
        consent=_consent(session, client, resource) if may("authserver.view_consent") else None,
        told=told,
        preview=receipts.preview([session.tsid], now=now) if session.closed_at is None else None,
        revocations=_revocations(session) if may("accounts.view_revocation") else (),
    )


def _in_words(scope: str, resource: KnownResource | None) -> list[tuple[str, str]]:
    """Each scope, and what it allows in today's words, where there are any."""
    words: Mapping[str, str] = resource.scopes if resource else {}
    return [(one, str(words.get(one) or IDENTITY_SCOPES.get(one) or "")) for one in scope.split()]


def _connections(upstreams: Sequence[Upstream], told: Told | None) -> list[Connection]:
    """One statement."""
    ids = [one.link.credential_id for one in upstreams if one.link]
    used = Link.objects.filter(credential__in=ids, session__closed_at=None).values_list("credential")
    counts = dict(used.annotate(count=Count("id")))
    failures = told.failures if told else {}
    return [
        Connection(one, counts.get(one.link.credential_id, 1) - 1 if one.link else 0, failures.get(one.name))
        for one in upstreams
    ]


def _servers(resource: KnownResource | None) -> list[ResourceServer]:
    """Who may trade its tokens."""
    known = ResourceServer.objects.filter(resources=resource.pk).defer("client_secret") if resource else ()
    return list(known[:SOME])


def _refresh_tokens(session: TokenSession) -> list[RefreshToken]:
    """One lineage; none before the code was redeemed. Only what is no secret."""
    shown = ("generation", "created", "updated", "revoked", "idle_expires_at", "expires_at", "replay_until")
    return list(RefreshToken.objects.filter(tsid=session.tsid).only(*shown).order_by("id")[:SOME])


def _consent(session: TokenSession, client: Client | None, resource: KnownResource | None) -> Consent | None:
    if client is None or resource is None:
        return None
    given = Consent.objects.filter(user=session.user_id, client=client, resource=resource.pk)
    return given.filter(redirect_host=session.redirect_host).first()


def _revocations(session: TokenSession) -> list[Revocation]:
    own = Revocation.objects.filter(tsid=session.tsid).exclude(tsid="").defer("sealed_tokens")
    return list(own.order_by("-queued_at")[:SOME])
