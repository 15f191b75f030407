"""Looking at servers from outside: single GETs, each bounded, under one deadline for the whole examination."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from authserver.doctor.findings import Finding, ok, warning
from upstream import http
from upstream.calls import Call
from upstream.errors import OutboundFailed, OutboundRefused

CALL_SECONDS = 3.0
WHOLE_SECONDS = 30.0
MAX_BYTES = 256 * 1024
CLOCK_SECONDS = 30
"""Two clocks may differ by so much: tokens and assertions have about as much leeway."""


@dataclass(frozen=True)
class Fetched:
    """An answer, or the `kind` of its absence (as `OutboundFailed`, or `refused`, or `no_time`). `at` is halfway."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    document: Any = field(default=None, repr=False)
    kind: str = ""
    at: datetime | None = None

    @property
    def members(self) -> dict[str, Any]:
        """The JSON object that came, else an empty one."""
        return self.document if isinstance(self.document, dict) else {}

    @property
    def skew_seconds(self) -> int | None:
        """How far ahead of ours the other clock is, by its `Date` (RFC 9110 section 6.6.1); None where it says nothing."""
        try:
            theirs = parsedate_to_datetime(self.headers.get("Date", ""))
        except (TypeError, ValueError, IndexError):
            return None
        if self.at is None or theirs.tzinfo is None:
            return None
        return round((theirs - self.at).total_seconds())


class Calls:
    """The calls of one examination. `whole_seconds` is what all of them together may take."""

    def __init__(self, whole_seconds: float = WHOLE_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._over_at = clock() + whole_seconds

    def left(self) -> float:
        return self._over_at - self._clock()

    def own(self, url: str) -> Fetched:
        """From our own issuer, which may be on a private network; through the operator's proxy where it must be."""
        direct = self.get(url, private=True)
        if direct.kind in {"dns", "connection", "timeout"} and settings.UPSTREAM_PROXY and url.startswith("https:"):
            around = self.get(url, private=False)
            return around if not around.kind else direct
        return direct

    def get(self, url: str, *, private: bool) -> Fetched:
        """One GET without credentials; a redirect is an answer. Raises nothing."""
        seconds = min(CALL_SECONDS, self.left())
        if seconds <= 0:
            return Fetched(kind="no_time")
        began = timezone.now()
        try:
            answer = http.request(
                "GET",
                url,
                allow_private_network=private,
                timeout_seconds=seconds,
                max_bytes=MAX_BYTES,
                call=Call("examination"),
            )
        except OutboundRefused:
            return Fetched(kind="refused")
        except OutboundFailed as error:
            return Fetched(kind=error.kind)
        try:
            document = answer.json()
        except OutboundFailed:
            document = None
        return Fetched(answer.status, answer.headers, document, at=began + (timezone.now() - began) / 2)


def why(kind: str) -> str:
    """What it means that no answer came."""
    words = {
        "dns": _("The name does not resolve from here."),
        "connection": _(
            "The connection was refused or broken off: nothing listens there, or a firewall is in the way."
        ),
        "timeout": _("No answer came within three seconds."),
        "tls": _(
            "The TLS certificate is not accepted: it has run out, is for another name, or of an unknown authority."
        ),
        "proxy": _("The outbound proxy did not let the call through."),
        "refused": _("The address is one that is never called from here (docs/outbound.md)."),
        "too_large": _("The answer is far larger than it should be: something else answers there."),
        "no_time": _("It was not asked: the time for the whole examination was up."),
    }
    return words.get(kind) or _("The answer was no HTTP.")


def clock(check: str, title: str, fetched: Fetched) -> Finding | None:
    """Whether the other side's clock agrees with ours; None where it does not tell the time."""
    skew = fetched.skew_seconds
    if skew is None:
        return None
    if abs(skew) <= CLOCK_SECONDS:
        return ok(check, title, _("Its clock and ours agree."))
    away = timedelta(seconds=abs(skew))
    meaning = (
        _("Its clock is %(time)s (h:mm:ss) ahead of ours.")
        if skew > 0
        else _("Its clock is %(time)s (h:mm:ss) behind.")
    )
    remedy = _("Let both hosts keep time by NTP: tokens are refused as not yet valid, or as expired, until they do.")
    return warning(check, title, meaning % {"time": away}, remedy)
