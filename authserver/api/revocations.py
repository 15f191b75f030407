"""`/api/v1/revocations`: the sessions of the caller's resources that have ended while their access tokens may still verify.

For gateways that check our JWTs against the JWKS alone: they drop these tsids, and so learn of a revocation within a
second. A poller sends back `next` as `since`. The cursor names a moment and what has been told of the time just before
it, because a transaction may commit a little later than the moment it notes.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore
from typing import Any

from django.conf import settings
from django.db.models import Max
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.vault import vault
from accounts.vault.base import Ended
from authserver import policy
from authserver.api import described
from authserver.api.views import TokenView
from authserver.errors import OAuthError, json_response
from authserver.models import Resource
from authserver.parameters import query
from upstream.refresh_store import let_go

PARAMETERS = frozenset({"since", "wait"})
MAX_WAIT_SECONDS = 25  # below what proxies give a request
LOOK_EVERY_SECONDS = 0.5
LATE = timedelta(seconds=60)
"""How long after its moment an ending may come to be seen: SQLite lets a writer wait for 20 s, a lock may take its time."""
LIMIT = 5000
"""Of one answer. Whoever gets so many asks at once for the rest, without the seconds before: of those there is time later."""
UNTOLD = "0" * 16
_CURSOR = re.compile(r"([0-9]{1,17})\.([0-9a-f]{16})")  # microseconds since 1970, and the digest
_waiting = BoundedSemaphore(max(1, settings.THREADS // 2))
"""So many requests of a process may wait: half of its threads go on serving."""


@dataclass(frozen=True)
class Cursor:
    """`until` is the newest moment told of; `told` a digest of the endings within `LATE` before it."""

    until: datetime
    told: str = ""

    def __str__(self) -> str:
        microseconds = (self.until - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
        return f"{microseconds}.{self.told or UNTOLD}"


class Revocations(TokenView):
    """GET; or POST with the caller's credentials as a form."""

    @extend_schema(**described.REVOCATIONS, operation_id="list_revocations")
    def get(self, request: Request) -> Any:
        parameters = query(request._request, PARAMETERS)
        wait_seconds, now = _wait(parameters), timezone.now()
        resources = list(
            Resource.objects.filter(resource_servers=self.caller(request).pk).values_list("identifier", flat=True)
        )
        horizon = _longest_token()
        cursor = _cursor(parameters, earliest=now - horizon)
        ended, waited = wait_for(lambda: _new(resources, cursor), seconds=wait_seconds)
        after = _after(cursor, ended, now)
        tag = f'"{after}"'
        if not ended and request.headers.get("If-None-Match") == tag:
            response = HttpResponse(status=304)
        else:
            response = json_response(
                {
                    "revocations": [
                        {"tsid": one.tsid, "ended_at": one.ended_at.isoformat(timespec="milliseconds")} for one in ended
                    ],
                    "next": str(after),
                    "keep_for_seconds": int(horizon.total_seconds()),
                }
            )
        response["ETag"] = tag
        response["Cache-Control"] = "no-store"
        if not waited:
            response["Retry-After"] = "1"
        return response

    @extend_schema(**described.REVOCATIONS, operation_id="list_revocations_by_form", request=described.CREDENTIALS)
    def post(self, request: Request) -> Any:
        return self.get(request)


def wait_for(
    look: Callable[[], Sequence[Ended]],
    *,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> tuple[Sequence[Ended], bool]:
    """What `look` finds, as soon as it finds something, after `seconds` at most; and whether there was room to wait.

    Whoever waits holds no database connection meanwhile.
    """
    found, until = look(), monotonic() + seconds
    if found or seconds <= 0:
        return found, True
    if not _waiting.acquire(blocking=False):
        return found, False
    try:
        while not found and (left := until - monotonic()) > 0:
            let_go()
            sleep(min(LOOK_EVERY_SECONDS, left))
            found = look()
    finally:
        _waiting.release()
    return found, True


def _new(resources: Iterable[str], cursor: Cursor) -> Sequence[Ended]:
    """What the cursor has not told of; with it comes what it did tell of the last seconds. Nothing where nothing is new."""
    ended = vault().sessions.ended(
        list(resources), since=cursor.until - LATE if cursor.told else cursor.until, limit=LIMIT
    )
    return () if _digest(ended) == cursor.told else ended


def _after(cursor: Cursor, ended: Sequence[Ended], now: datetime) -> Cursor:
    if not ended:
        return cursor if cursor.told else Cursor(now, _digest(()))
    until = ended[-1].ended_at
    if len(ended) >= LIMIT:
        return Cursor(until)
    return Cursor(until, _digest([one for one in ended if one.ended_at >= until - LATE]))


def _digest(ended: Iterable[Ended]) -> str:
    return hashlib.sha256(" ".join(sorted(one.tsid for one in ended)).encode()).hexdigest()[:16]


def _cursor(parameters: dict[str, str], *, earliest: datetime) -> Cursor:
    """Raises `OAuthError` invalid_request. What is older than any token of ours may be is not looked at again."""
    given = parameters.get("since")
    if given is None:
        return Cursor(earliest)
    found = _CURSOR.fullmatch(given[:64])
    if found is None:
        raise OAuthError("invalid_request", "since is the value of next in the last answer; leave it out to begin.")
    until = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(found[1]))
    told = "" if found[2] == UNTOLD else found[2]
    return Cursor(until, told) if until > earliest else Cursor(earliest)


def _wait(parameters: dict[str, str]) -> int:
    given = parameters.get("wait", "0")
    if not (given.isascii() and given.isdigit() and len(given) <= 2 and int(given) <= MAX_WAIT_SECONDS):
        raise OAuthError("invalid_request", f"wait is a number of seconds from 0 to {MAX_WAIT_SECONDS}.")
    return int(given)


def _longest_token() -> timedelta:
    """How long an access token of any resource may live."""
    own = Resource.objects.aggregate(longest=Max("access_token_lifetime_seconds"))["longest"] or 0
    return timedelta(seconds=max(policy.current().lifetimes.access_token, own))
