"""What an ending would end, in sentences, before the person decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authserver import cascade, receipts
from authserver.account import overview
from authserver.account.names import names_of
from upstream.revoke import providers_to_tell


def of_disconnecting(user_id: UUID, provider: str, title: str, *, now: datetime) -> list[str]:
    """The apps that lose it, the sessions that end because their server needs it, and what ends with those."""
    linked = overview.open_sessions(user_id, now=now).filter(links__provider=provider)
    losing = linked.values("client_id").distinct().count()
    preview = receipts.preview(cascade.sessions_needing(user_id, provider), now=now)
    said = [
        ngettext(
            "%(count)d app loses access to %(provider)s through this server.",
            "%(count)d apps lose access to %(provider)s through this server.",
            losing,
        )
        % {"count": losing, "provider": title}
        if losing
        else _("No app uses this connection now.")
    ]
    if preview.sessions:
        words = ngettext(
            "%(count)d app sign-in ends, because its server needs this connection.",
            "%(count)d app sign-ins end, because their servers need this connection.",
            preview.sessions,
        )
        said.append(words % {"count": preview.sessions})
    others = {name: count for name, count in preview.destroyed.items() if name != provider}
    said += _others(others, preview.told)
    said.append(_telling(title, tells=provider in providers_to_tell()))
    return said


def of_removing(tsids: Sequence[str], *, now: datetime) -> list[str]:
    """Of these sessions' end."""
    preview = receipts.preview(tsids, now=now)
    words = ngettext(
        "%(count)d app sign-in ends at once. If you use the app again, it asks you first.",
        "%(count)d app sign-ins end at once. If you use the app again, it asks you first.",
        preview.sessions,
    )
    return [words % {"count": preview.sessions}, *_others(preview.destroyed, preview.told)]


def _others(destroyed: Mapping[str, int], told: Mapping[str, int]) -> list[str]:
    """Connections that no other app uses, and that go with the last one."""
    names = names_of((), (), destroyed)
    said = []
    for provider in destroyed:
        title = names.provider(provider)
        said.append(_("Your connection to %(provider)s ends too: no other app uses it.") % {"provider": title})
        said.append(_telling(title, tells=provider in told))
    return said


def _telling(title: str, *, tells: bool) -> str:
    words = (
        _("%(provider)s is told, and takes its access back.")
        if tells
        else _("%(provider)s is not told. To end what you approved there too, look into your settings at %(provider)s.")
    )
    return words % {"provider": title}
