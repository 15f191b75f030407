"""The vault's hot statements in SQL of their own: a session with all that hangs on it, and the note of its use.

Every refresh and every exchange runs them; building one with the ORM takes several times what running it does. The
contract suite holds them to the same answers as the other backend's. They run unchanged on SQLite and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from accounts.models import Credential
from accounts.vault.base import CredentialState, Session, SessionGone
from accounts.vault.bounds import is_tsid

# A row a link, and one row for a session that has none. Only the asked providers' tokens are carried over.
_LIVE_SESSION_WITH_LINKS = """
    SELECT s.user_id, u.is_active, s.client_id, s.redirect_host, s.resource, s.scope, s.idle_expires_at, s.expires_at,
           l.provider, l.scope, c.state,
           c.id, c.user_id, c.provider, c.subject, c.scope, c.version, c.refreshable, c.expires_at, c.dead_reason,
           CASE WHEN l.provider LIKE %s THEN c.sealed_tokens END
    FROM accounts_tokensession s
    JOIN accounts_user u ON u.id = s.user_id
    LEFT JOIN accounts_link l ON l.session_id = s.tsid
    LEFT JOIN accounts_credential c ON c.id = l.credential_id
    WHERE s.tsid = %s AND s.closed_at IS NULL AND s.idle_expires_at > %s AND s.expires_at > %s
    ORDER BY l.provider
"""

_TOUCH = """
    UPDATE accounts_tokensession
    SET last_used_at = %s, idle_expires_at = CASE WHEN expires_at < %s THEN expires_at ELSE %s END
    WHERE tsid = %s AND closed_at IS NULL AND idle_expires_at > %s AND expires_at > %s
"""

# The same where no credential of it is dead, and what it is then. `{listed}` has another name in each database.
_DEAD = """
    FROM accounts_link l JOIN accounts_credential c ON c.id = l.credential_id
    WHERE l.session_id = accounts_tokensession.tsid AND c.state = 'dead'
"""
_USE = f"""
    UPDATE accounts_tokensession
    SET last_used_at = CASE WHEN EXISTS (SELECT 1 {_DEAD}) THEN last_used_at ELSE %s END,
        idle_expires_at = CASE WHEN EXISTS (SELECT 1 {_DEAD}) THEN idle_expires_at
                               WHEN expires_at < %s THEN expires_at ELSE %s END
    WHERE tsid = %s AND closed_at IS NULL AND idle_expires_at > %s AND expires_at > %s
    RETURNING user_id, (SELECT u.is_active FROM accounts_user u WHERE u.id = accounts_tokensession.user_id),
              client_id, redirect_host, resource, scope, idle_expires_at, expires_at,
              (SELECT {{listed}}(l.provider, ' ') {_DEAD})
"""  # noqa: S608  # of constants
_LISTED = {"postgresql": "string_agg", "sqlite": "group_concat"}
_USE_HERE = {vendor: _USE.format(listed=function) for vendor, function in _LISTED.items()}


EVERY, NONE = "%", ""  # for `provider` below; a provider's own name holds no wildcard


@dataclass(frozen=True)
class Linked:
    """A session's link to `provider` and its credential, not opened."""

    provider: str
    credential: CredentialState
    approved_scopes: tuple[str, ...]
    sealed_tokens: str = field(repr=False)


def live(now: datetime) -> Q:
    """The same for the ORM: what `accounts_tokensession` must be to be live."""
    return Q(closed_at=None, idle_expires_at__gt=now, expires_at__gt=now)


def live_session(tsid: str, *, now: datetime, provider: str = NONE) -> tuple[Session, list[Linked]]:
    """The live session, and its links: to one provider, to `EVERY`, or `NONE`, by provider. Raises `SessionGone`."""
    if not is_tsid(tsid):
        raise SessionGone("not a tsid")
    moment = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(_LIVE_SESSION_WITH_LINKS, [provider, tsid, moment, moment])
        rows = cursor.fetchall()
    if not rows:
        raise SessionGone("unknown, closed, or past its end")
    dead = tuple(row[8] for row in rows if row[10] == Credential.State.DEAD)
    return _session(tsid, rows[0][:8], dead), [_linked(row) for row in rows if row[20] is not None]


def touch(tsid: str, *, idle_expires_at: datetime, now: datetime) -> bool:
    """Move the idle end of a live session, never past its absolute end. False where there is none."""
    if not is_tsid(tsid):
        return False
    moment, until = (connection.ops.adapt_datetimefield_value(time) for time in (now, idle_expires_at))
    with connection.cursor() as cursor:
        cursor.execute(_TOUCH, [moment, until, until, tsid, moment, moment])
        return bool(cursor.rowcount)


def use(tsid: str, *, idle_expires_at: datetime, now: datetime) -> Session:
    """The same where no credential of it is dead, and the session as it is then. Raises `SessionGone`."""
    if not is_tsid(tsid):
        raise SessionGone("not a tsid")
    moment, until = (connection.ops.adapt_datetimefield_value(time) for time in (now, idle_expires_at))
    with connection.cursor() as cursor:
        cursor.execute(_USE_HERE[connection.vendor], [moment, until, until, tsid, moment, moment])
        rows = cursor.fetchall()  # all of it: SQLite ends the statement with the last row
    if not rows:
        raise SessionGone("unknown, closed, or past its end")
    *columns, dead = rows[0]
    return _session(tsid, columns, tuple(sorted((dead or "").split())))


def _session(tsid: str, columns: Sequence[Any], dead_providers: tuple[str, ...]) -> Session:
    user_id, is_active, client_id, redirect_host, resource, scope, idle_expires_at, expires_at = columns
    return Session(
        tsid=tsid,
        user_id=_uuid(user_id),
        user_is_active=bool(is_active),
        client_id=client_id,
        redirect_host=redirect_host,
        resource=resource,
        scopes=tuple(scope.split()),
        idle_expires_at=_utc(idle_expires_at),
        expires_at=_utc(expires_at),
        dead_providers=dead_providers,
    )


def _linked(row: tuple[Any, ...]) -> Linked:
    (link_provider, link_scope, state, credential_id, user_id, provider, subject, scope, version, refreshable, expires_at, reason,
     sealed_tokens) = row[8:]  # fmt: skip
    return Linked(
        provider=link_provider,
        credential=CredentialState(
            id=_uuid(credential_id),
            user_id=_uuid(user_id),
            provider=provider,
            subject=subject,
            scopes=tuple(scope.split()),
            version=version,
            live=state == Credential.State.LIVE,
            refreshable=bool(refreshable),
            expires_at=_utc(expires_at) if expires_at else None,
            dead_reason=reason,
        ),
        approved_scopes=tuple(link_scope.split()),
        sealed_tokens=sealed_tokens,
    )


def _uuid(value: UUID | str) -> UUID:
    """PostgreSQL has the type; SQLite keeps 32 hexadecimal digits."""
    return value if isinstance(value, UUID) else UUID(value)


def _utc(value: datetime | str) -> datetime:
    """PostgreSQL gives an aware time; SQLite keeps text in UTC."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value.astimezone(UTC)
