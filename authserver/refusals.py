"""Noting that a client was refused, so that an operator can say later where it stopped (`authserver.trace`).

One INSERT for a refused request, none for any other. A flood is noted in part: so many rows a minute and process, and
`maintenance` keeps a week and `MOST_KEPT` of them.
"""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Lock

import structlog
from django.db import Error as DatabaseFailure
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import metrics
from authserver.addresses import client_address
from authserver.errors import OAuthError
from authserver.models import Refusal

log = structlog.get_logger(__name__)

PER_MINUTE = 120
KEPT = timedelta(days=7)
MOST_KEPT = 50_000
MAX_CLIENT_ID = 255
_NOT_THE_CLIENTS = {429, 500, 503}
Step = Refusal.Step


class _Allowance:
    """How many rows this process may still write in this minute."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._minute, self._used = 0, 0

    def take(self) -> bool:
        minute = int(time.monotonic() // 60)
        with self._lock:
            if minute != self._minute:
                self._minute, self._used = minute, 0
            self._used += 1
            return self._used <= PER_MINUTE


_allowance = _Allowance()


def note(request: HttpRequest, step: Step, error: str, *, reason: str = "", client_id: str = "") -> None:
    """Write one row. Raises nothing: the answer is the same whether or not it could be noted."""
    metrics.REFUSALS.count(step, error[:64])
    if step == Step.AUTHORIZE:  # the other steps answer machines, by `errors.render` and its line
        log.info("refused", step=step.value, error=error[:64], reason=reason[:255], client_id=known_as(client_id))
    if not _allowance.take():
        return
    row = Refusal(
        at=timezone.now(),
        step=step,
        error=error[:64],
        reason=_bounded(reason, 255),
        client_id=known_as(client_id),
        address=client_address(request),
        request_id=getattr(request, "id", ""),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except (DatabaseFailure, ValueError) as failure:
        log.warning("refusal not noted", error=type(failure).__name__)


def note_error(request: HttpRequest, step: Step, error: OAuthError, *, client_id: str = "") -> None:
    """The same for an answer to a machine, unless it says that we are busy or broken."""
    if error.status not in _NOT_THE_CLIENTS:
        note(request, step, error.error, reason=error.detail or error.description, client_id=client_id)


def known_as(client_id: str) -> str:
    """How a client's id stands in the table."""
    return _bounded(client_id, MAX_CLIENT_ID)


def _bounded(text: str, length: int) -> str:
    """Printable, and storable anywhere: no NUL, no half of a character."""
    return "".join(char for char in text[:length] if char.isprintable()).encode("utf-8", "ignore").decode()
