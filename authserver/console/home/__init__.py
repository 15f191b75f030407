"""The console's first page: what goes on, what is broken and what waits for somebody, above Django's list of tables.

`facts` asks the database, each question bounded and along an index, and keeps the answers for `facts.KEPT_SECONDS`;
`health`, `charts` and `attention` say what they mean. Whoever may not see a list is not told its number.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from authserver.console.home import attention, charts, facts, health
from authserver.console.home.numbers import numbers

EXCHANGES = "accounts.view_auditevent"
UPSTREAMS = "upstream.view_provider"


def context(request: HttpRequest) -> dict[str, Any]:
    """What the template `admin/home.html` shows to this operator."""
    known, may = facts.current(), request.user.has_perm
    return {
        "read_at": known.at,
        "numbers": [number for number in numbers(known) if may(number.permission)],
        "charts": charts.of(known) if may(EXCHANGES) else [],
        "upstreams": list(health.rows(known.upstreams, now=timezone.now()))
        if may(UPSTREAMS) and may(EXCHANGES)
        else [],
        "needs": [item for item in attention.items(known, now=timezone.now()) if may(item.permission)],
    }
