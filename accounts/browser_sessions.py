"""Browser sessions in the database, each with whose it is and which sign-in began it: `settings.SESSION_ENGINE`.

Django's own rows can be found by their cookie only. An upstream that signs somebody out names the person (`sub`) or its
own session (`sid`), so ours stand in columns beside the session's data: one DELETE ends them, for every host at once,
and no other request pays for it. A request that is under way cannot bring a deleted row back (`SessionInterrupted`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db.models import DateTimeField
from django.utils import timezone

from accounts.models import BrowserSession
from accounts.prepared import Prepared, slot

SIGNED_IN_WITH = "signed_in_with"
"""The name of the upstream of the sign-in."""
IN_CONSOLE_WITH = "in_console_with"
"""The same of a sign-in to the console, which is none for apps; its row says the one that there is."""
UPSTREAM_SID = "upstream_sid"
"""The upstream's own session: `sid` of the sign-in's ID token (OpenID Connect Back-Channel Logout 1.0 section 2.1)."""
MAX_SID = 255


_BY_KEY: Prepared[BrowserSession] = Prepared(
    lambda: BrowserSession.objects.filter(session_key=slot("key"), expire_date__gt=slot("now", DateTimeField()))
)
_HELD: Prepared[str] = Prepared(
    lambda: (
        BrowserSession.objects.select_for_update().filter(session_key=slot("key")).values_list("session_key", flat=True)
    )
)


class SessionStore(DatabaseStore):
    @classmethod
    def get_model_class(cls) -> type[BrowserSession]:
        return BrowserSession

    def _get_session_from_db(self) -> BrowserSession | None:
        """As Django's, with a statement that is made once."""
        key = self.session_key or ""
        row = _BY_KEY.first(key=key, now=timezone.now()) if key.isascii() and key.isalnum() else None
        if row is None:
            self._session_key = None
        return row

    def create_model_instance(self, data: dict[str, Any]) -> BrowserSession:
        row: BrowserSession = super().create_model_instance(data)  # type: ignore[assignment]  # of the class above
        row.user_id = data.get(SESSION_KEY)
        row.signed_in_with = data.get(IN_CONSOLE_WITH) or data.get(SIGNED_IN_WITH, "")
        row.upstream_sid = data.get(UPSTREAM_SID, "")
        return row


def people_of(upstream: str, sid: str) -> set[UUID]:
    """Whose browser sessions this session of the upstream began."""
    rows = BrowserSession.objects.filter(signed_in_with=upstream, upstream_sid=sid)
    return {user_id for user_id in rows.values_list("user_id", flat=True) if user_id}


def of_person(user_id: UUID, *, now: datetime, limit: int) -> list[BrowserSession]:
    """A person's browser sessions that have not run out, those that last longest first. Their keys are secrets."""
    own = BrowserSession.objects.filter(user_id=user_id, expire_date__gt=now).defer("session_data")
    return list(own.order_by("-expire_date")[:limit])


def end(upstream: str, user_id: UUID, *, sid: str = "") -> int:
    """End a person's browser sessions that began with a sign-in there (in that session of the upstream); how many."""
    rows = BrowserSession.objects.filter(user_id=user_id, signed_in_with=upstream)
    return rows.filter(upstream_sid=sid).delete()[0] if sid else rows.delete()[0]


def end_all(user_id: UUID) -> int:
    """Sign a person out of every browser; how many."""
    return BrowserSession.objects.filter(user_id=user_id).delete()[0]


def end_everybodys() -> int:
    """Sign everybody out of every browser, operators too; how many."""
    return BrowserSession.objects.all().delete()[0]


def still_there(session_key: str | None) -> bool:
    """Whether nobody has ended this session meanwhile. Inside a transaction: and nobody does until it is over."""
    return _HELD.first(key=session_key or "") is not None
