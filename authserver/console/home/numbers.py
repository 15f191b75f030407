"""The four numbers at the top, each with the list that it is the length of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.tallies import HOUR
from authserver.console.home.facts import Facts


@dataclass(frozen=True)
class Number:
    count: str
    words: str
    url: str
    permission: str
    calls: bool = False
    """Whether somebody has to do something about it."""


def numbers(known: Facts) -> Iterator[Number]:
    failing = sum(one.is_failing(known.at) for one in known.upstreams)
    last_hour = {"event": "vault.release", "outcome": "ok", "since": (known.at - HOUR).strftime("%Y-%m-%dT%H:%M")}
    yield Number(str(known.live_sessions), _("live sessions"), reverse("admin:accounts_tokensession_changelist"),
                 "accounts.view_tokensession")  # fmt: skip
    yield Number(str(known.exchanges), _("exchanges in the last hour"),
                 f"{reverse('admin:accounts_auditevent_changelist')}?{urlencode(last_hour)}",
                 "accounts.view_auditevent")  # fmt: skip
    yield Number(str(failing), _("failing upstreams"), reverse("admin:upstream_provider_changelist"),
                 "upstream.view_provider", calls=failing > 0)  # fmt: skip
    yield Number(str(known.waiting_apps), _("apps that wait for approval"),
                 f"{reverse('admin:authserver_app_changelist')}?queue=asked", "authserver.view_app",
                 calls=bool(known.waiting_apps))  # fmt: skip
