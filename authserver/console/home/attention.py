"""What needs somebody: each in a sentence, with the list that shows it, the urgent first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core import checks
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authserver.console.home.facts import Facts
from authserver.console.home.health import rows
from authserver.keys import rotation

SOON = timedelta(days=7)
OVERDUE = timedelta(hours=1)
UNCOUNTED = timedelta(hours=3)
"""The maintenance counts each hour some minutes after its end: with more than this uncounted, it does not run."""
SUPERUSERS = "accounts.only_superusers"
"""No such permission is given to anybody, and superusers have every one."""


@dataclass(frozen=True)
class Item:
    words: str
    url: str
    permission: str
    urgent: bool = True
    hint: str = ""


def items(known: Facts, *, now: datetime) -> list[Item]:
    found = [
        *_upstreams(known, now),
        *_maintenance(known, now),
        *_signing_key(known, now),
        *_lists(known),
        *_first_administrator(known),
        *_warnings(known),
    ]
    return sorted(found, key=lambda item: not item.urgent)


def _upstreams(known: Facts, now: datetime) -> Iterator[Item]:
    for row in rows(known.upstreams, now=now):
        if row.failing:
            said = _("%(upstream)s is failing.") % {"upstream": row.upstream.title}
            yield Item(f"{said} {row.error}", row.errors_url, "accounts.view_auditevent")


def _maintenance(known: Facts, now: datetime) -> Iterator[Item]:
    since = known.counted_until or known.trail_begins
    if since is not None and since < now - UNCOUNTED:
        said = _("Maintenance has not run since %(when)s: nothing that is over is ended, revoked or deleted.")
        when = date_format(since, "DATETIME_FORMAT")
        yield Item(said % {"when": when}, "", SUPERUSERS, hint="manage.py maintenance --loop")


def _signing_key(known: Facts, now: datetime) -> Iterator[Item]:
    """For the key source `database`; others are turned over elsewhere."""
    if known.active_key is None:
        return
    try:
        rotation.check_source()
    except rotation.NotHere:
        return
    turn = rotation.turn_begins_at(known.active_key)
    words = {"kid": known.active_key.kid, "when": date_format(turn, "DATETIME_FORMAT")}
    url = reverse("admin:authserver_signingkey_changelist")
    if turn < now - OVERDUE - rotation.PUBLISHED_AHEAD:
        said = _("The signing key %(kid)s should have been turned over from %(when)s on.") % words
        yield Item(said, url, "authserver.view_signingkey")
    elif turn < now + SOON:
        said = _("The signing key %(kid)s is turned over from %(when)s on, by the maintenance.") % words
        yield Item(said, url, "authserver.view_signingkey", urgent=False)


def _lists(known: Facts) -> Iterator[Item]:
    if failed := known.failed_revocations:
        said = ngettext(
            "%(count)s revocation at a provider was given up within the last seven days.",
            "%(count)s revocations at providers were given up within the last seven days.",
            failed.count,
        )
        url = f"{reverse('admin:accounts_revocation_changelist')}?state__exact=failed"
        yield Item(said % {"count": failed}, url, "accounts.view_revocation")
    if waiting := known.waiting_apps:
        said = ngettext("%(count)s app waits for approval, and somebody for the app.",
                        "%(count)s apps wait for approval, and somebody for each.", waiting.count)  # fmt: skip
        url = f"{reverse('admin:authserver_app_changelist')}?queue=asked"
        yield Item(said % {"count": waiting}, url, "authserver.view_app", urgent=False)
    if dead := known.dead_credentials:
        said = ngettext("%(count)s credential is dead: its person has to sign in at the provider again.",
                        "%(count)s credentials are dead: their people have to sign in at the provider again.",
                        dead.count)  # fmt: skip
        url = f"{reverse('admin:accounts_credential_changelist')}?state__exact=dead"
        yield Item(said % {"count": dead}, url, "accounts.view_credential", urgent=False)


def _first_administrator(known: Facts) -> Iterator[Item]:
    if known.first_administrator is not None:
        url = reverse("admin:accounts_user_change", args=[known.first_administrator])
        said = _("The administrator that the first start made is still in use.")
        hint = _("Its password was printed. Give each operator an account of their own, and deactivate this one.")
        yield Item(said, url, SUPERUSERS, urgent=False, hint=hint)


def _warnings(known: Facts) -> Iterator[Item]:
    """In the words of `manage.py check`, which are English."""
    for warning in known.warnings:
        urgent = warning.level >= checks.ERROR
        yield Item(_text(warning.msg), "", SUPERUSERS, urgent=urgent, hint=_text(warning.hint or ""))


def _text(value: Any) -> str:
    return str(value)[:300]
