"""What a person has here now: connections to upstreams, and apps with access. As many statements for many as for one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from accounts import devices
from accounts.models import AuditEvent, Credential, Link, TokenSession, User
from authserver.account import trail
from authserver.account.names import Names, names_of
from authserver.scopes import IDENTITY_SCOPES

MAX_SESSIONS = 100
MAX_CONNECTIONS = 50
MAX_USES = 10


@dataclass
class Use:
    """An app that may reach an upstream through a server, and when that server last had the token, if lately."""

    app: str
    resource: str
    last_used_at: datetime | None = None


@dataclass
class Connection:
    """A person's account at an upstream. `is_idle`: no app may use it (any more)."""

    name: str
    title: str
    since: datetime
    is_live: bool
    scopes: Sequence[str]
    can_reconnect: bool
    uses: list[Use] = field(default_factory=list)

    @property
    def is_idle(self) -> bool:
        return not self.uses


@dataclass(frozen=True)
class Access:
    """One session: this app, approved on that device, for this resource. `scopes` are in words where there are any."""

    tsid: str
    device: str
    resource: str
    scopes: Sequence[str]
    providers: Sequence[str]
    since: datetime
    last_used_at: datetime
    ends_at: datetime


@dataclass
class AppWithAccess:
    """A client, and what the person lets it do. `pk` is None where its registration is gone."""

    pk: int | None
    name: str
    place: str
    sessions: list[Access] = field(default_factory=list)


@dataclass(frozen=True)
class Overview:
    """`is_whole` is False where there are more sessions than are shown: the ones used last are. `recent` is the newest of
    the person's trail."""

    connections: Sequence[Connection]
    apps: Sequence[AppWithAccess]
    is_whole: bool
    recent: Sequence[AuditEvent]
    names: Names


def of_person(person: User, *, now: datetime, beside: Iterable[str] = ()) -> Overview:
    """`beside` are more providers whose names are wanted. Seven statements."""
    found = list(open_sessions(person.pk, now=now).order_by("-last_used_at", "tsid")[: MAX_SESSIONS + 1])
    sessions = found[:MAX_SESSIONS]
    links = list(Link.objects.filter(session__in=[session.tsid for session in sessions]).order_by("id"))
    credentials = list(
        Credential.objects.filter(user=person).defer("sealed_tokens").order_by("provider", "state", "-signed_in_at")
    )[:MAX_CONNECTIONS]
    recent = trail.newest(person.pk, limit=trail.LOOKED_INTO)
    names = names_of(
        [*(session.client_id for session in sessions), *(event.client_id for event in recent)],
        [*(session.resource for session in sessions), *(event.resource for event in recent)],
        [*(one.provider for one in credentials), *(event.upstream for event in recent), *beside],
    )
    by_tsid = {session.tsid: session for session in sessions}
    return Overview(
        connections=_connections(credentials, links, by_tsid, recent, names),
        apps=_apps(sessions, links, names),
        is_whole=len(found) == len(sessions),
        recent=recent,
        names=names,
    )


def open_sessions(user_id: UUID, *, now: datetime) -> QuerySet[TokenSession]:
    """A person's sessions that are live: not closed, and not run out."""
    return TokenSession.objects.filter(user_id=user_id, closed_at=None, idle_expires_at__gt=now)


def _connections(
    credentials: Sequence[Credential],
    links: Sequence[Link],
    sessions: dict[str, TokenSession],
    recent: Sequence[AuditEvent],
    names: Names,
) -> list[Connection]:
    """One an upstream: of several accounts there (which only an older registration allowed) the live one speaks."""
    found: dict[str, Connection] = {}
    for one in sorted(credentials, key=lambda one: one.state != Credential.State.LIVE):
        known = names.providers.get(one.provider)
        found.setdefault(
            one.provider,
            Connection(
                name=one.provider,
                title=names.provider(one.provider),
                since=one.created_at,
                is_live=one.state == Credential.State.LIVE,
                scopes=one.scope.split(),
                can_reconnect=bool(known and known.enabled),
            ),
        )
    used = trail.last_releases(recent)
    for link in links:
        session, connection = sessions[link.session_id], found.get(link.provider)
        key = (link.provider, session.client_id, session.resource)
        use = Use(names.app(session.client_id), names.resource(session.resource), used.get(key))
        if connection and use not in connection.uses and len(connection.uses) < MAX_USES:
            connection.uses.append(use)
    return sorted(found.values(), key=lambda connection: connection.title.casefold())


def _apps(sessions: Sequence[TokenSession], links: Sequence[Link], names: Names) -> list[AppWithAccess]:
    """In the order of their last use."""
    providers: dict[str, list[str]] = {}
    for link in links:
        providers.setdefault(link.session_id, []).append(names.provider(link.provider))
    found: dict[str, AppWithAccess] = {}
    for session in sessions:
        client = names.clients.get(session.client_id)
        app = found.setdefault(
            session.client_id,
            AppWithAccess(client.pk if client else None, names.app(session.client_id), session.redirect_host),
        )
        app.sessions.append(
            Access(
                tsid=session.tsid,
                device=devices.describe(session.user_agent),
                resource=names.resource(session.resource),
                scopes=_in_words(session, names),
                providers=providers.get(session.tsid, []),
                since=session.created_at,
                last_used_at=session.last_used_at,
                ends_at=session.idle_expires_at,
            )
        )
    return list(found.values())


def _in_words(session: TokenSession, names: Names) -> list[str]:
    known = names.resources.get(session.resource)
    words = known.scopes if known else {}
    return [str(words.get(scope) or IDENTITY_SCOPES.get(scope) or scope) for scope in session.scope.split()]
