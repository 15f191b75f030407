"""The statements that end a session and what it leaves behind, in SQL of their own: its mark, and three for its links.

The order is that of `database_sessions`: a credential's row is held before anybody looks at its links. On PostgreSQL one
statement drops the links and holds the credentials; the next one sees what others linked until then. On SQLite the
transaction itself is the lock. The contract suite holds both to the same answers as the other backend's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts.models import Credential, Link, Revocation, User
from accounts.vault.base import Closed

_CLOSE = """
    UPDATE accounts_tokensession SET closed_at = %s, close_reason = %s WHERE tsid = %s AND closed_at IS NULL
    RETURNING user_id, client_id, resource
"""

# The links of sessions that have run out, but were not swept yet, hold nothing back: they go as well.
_UNLINK_POSTGRESQL = """
    WITH mine AS (SELECT credential_id FROM accounts_link WHERE session_id = %s),
         gone AS (DELETE FROM accounts_link l USING accounts_tokensession s
                  WHERE s.tsid = l.session_id AND l.credential_id IN (SELECT credential_id FROM mine)
                    AND (s.tsid = %s OR s.closed_at IS NOT NULL OR s.idle_expires_at <= %s OR s.expires_at <= %s))
    SELECT id FROM accounts_credential WHERE id IN (SELECT credential_id FROM mine) ORDER BY id FOR UPDATE
"""

_UNLINK_SQLITE = """
    DELETE FROM accounts_link
    WHERE credential_id IN (SELECT credential_id FROM accounts_link WHERE session_id = %s)
      AND session_id IN (SELECT s.tsid FROM accounts_tokensession s
                         WHERE s.tsid = %s OR s.closed_at IS NOT NULL OR s.idle_expires_at <= %s OR s.expires_at <= %s)
    RETURNING credential_id
"""

_UNUSED = "NOT EXISTS (SELECT 1 FROM accounts_link l WHERE l.credential_id = accounts_credential.id)"

_QUEUE = """
    INSERT INTO accounts_revocation
        (id, user_id, provider, subject, tsid, receipt, sealed_tokens, state, outcome, attempts, queued_at, due_at)
    SELECT id, user_id, provider, subject, %s, %s, sealed_tokens, 'queued', '', 0, %s, %s
    FROM accounts_credential WHERE id IN ({ids}) AND provider IN ({providers}) AND {unused}
"""

_DESTROY = "DELETE FROM accounts_credential WHERE id IN ({ids}) AND {unused} RETURNING provider"


def mark_closed(tsid: str, *, reason: str, now: datetime) -> Closed | None:
    """Mark an open session as ended, and answer whose it was; None where none was open."""
    moment = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE, [moment, reason, tsid])
        rows = cursor.fetchall()
    if not rows:
        return None
    user_id, client_id, resource = rows[0]
    return Closed(user_id=User._meta.pk.to_python(user_id), client_id=client_id, resource=resource)


def end_links(tsid: str, *, now: datetime, revoke_at: Collection[str], receipt: UUID | None = None) -> Closed:
    """Drop the links of this closed session, destroy each credential that no live session uses, and queue what the
    providers in `revoke_at` are to be told. Inside a transaction."""
    moment = connection.ops.adapt_datetimefield_value(now)
    unlink = _UNLINK_POSTGRESQL if connection.vendor == "postgresql" else _UNLINK_SQLITE
    with connection.cursor() as cursor:
        cursor.execute(unlink, [tsid, tsid, moment, moment])
        held = list(dict.fromkeys(row[0] for row in cursor.fetchall()))
        if not held:
            return Closed()
        if revoke_at:
            queue = _QUEUE.format(ids=_places(held), providers=_places(revoke_at), unused=_UNUSED)
            cursor.execute(queue, [tsid, _own(receipt), moment, moment, *held, *revoke_at])
        cursor.execute(_DESTROY.format(ids=_places(held), unused=_UNUSED), held)
        destroyed = tuple(sorted(row[0] for row in cursor.fetchall()))
    return Closed(destroyed, tuple(provider for provider in destroyed if provider in revoke_at))


def _own(value: UUID | None) -> Any:
    """A UUID as this database keeps it."""
    return Revocation._meta.get_field("receipt").get_db_prep_value(value, connection)


def _places(values: Collection[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def locked(credentials: QuerySet[Credential]) -> QuerySet[Credential]:
    """Always by id, or two transactions could wait for each other."""
    return credentials.order_by("id").select_for_update(of=("self",))


def destroy(
    doomed: QuerySet[Credential],
    ended: Mapping[UUID, str],
    *,
    now: datetime,
    revoke_at: Collection[str],
    receipt: UUID | None = None,
) -> None:
    """Delete, and queue what the providers in `revoke_at` are to be told: both or neither."""
    if revoke_at:
        kept = ("id", "user_id", "provider", "subject", "sealed_tokens")
        Revocation.objects.bulk_create(
            Revocation(**row, tsid=ended.get(row["id"], ""), receipt=receipt, queued_at=now, due_at=now)
            for row in doomed.filter(provider__in=revoke_at).values(*kept)
        )
    delete(doomed)


def delete(rows: QuerySet[Link] | QuerySet[Credential]) -> None:
    """One DELETE. `QuerySet.delete` would fetch the rows first, to look for what hangs on them; nothing does."""
    rows._raw_delete(rows.db)
