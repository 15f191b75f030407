"""A session as a caller may see it: looked up by `tsid`, and only where its resource is one of the caller's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists

from accounts import audit, tracing
from accounts.vault import vault
from accounts.vault.base import Entries, SessionGone
from authserver import limits, logs
from authserver.api.callers import Caller
from authserver.errors import OAuthError
from authserver.models import Client, Resource, ResourceUpstream
from authserver.release import Asker, Whose


@dataclass(frozen=True)
class Found:
    """A live session of the caller's, opened, with the upstreams that its resource names now, in order."""

    asker: Asker
    whose: Whose
    entries: Entries
    upstreams: tuple[ResourceUpstream, ...]


def find(caller: Caller, unverified_tsid: str, *, only: str | None = None, now: datetime) -> Found:
    """Two statements. `only` names the one upstream whose tokens are opened.

    Raises `OAuthError` 404, in the same words whether it is unknown, over or somebody else's. Unknown ones are counted: a
    caller that tries many is slowed down (429).
    """
    try:
        entries = vault().credentials.all_tokens(unverified_tsid, now=now, only=only)
    except SessionGone:
        raise nothing(caller) from None
    session = entries.session
    logs.about(client_id=session.client_id, tsid=session.tsid)
    tracing.link(f"session:{session.tsid}")
    usable = Client.objects.filter(Client.usable(), client_id=session.client_id)
    own = {"enabled": True, "identifier": session.resource, "resource_servers": caller.pk}
    upstreams = tuple(
        ResourceUpstream.objects.filter(**{f"resource__{name}": value for name, value in own.items()})
        .annotate(client_is_usable=Exists(usable))
        .select_related("provider")
        .order_by("position", "id")
    )
    if upstreams:
        is_own, client_is_usable = True, upstreams[0].client_is_usable
    else:  # a resource without upstreams, or none of the caller's
        is_own, client_is_usable = Resource.objects.filter(**own).exists(), usable.exists()
    whose = Whose(session.tsid, session.user_id, session.client_id, session.resource)
    flaw = (
        "not_the_callers_resource" if not is_own
        else "client_disabled" if not client_is_usable
        else "user_inactive" if not session.user_is_active
        else ""
    )  # fmt: skip
    if flaw:
        audit.record("vault.release", outcome="refused", reason=flaw, actor=f"resource_server:{caller.client_id}",
                     user_id=session.user_id, client_id=session.client_id, tsid=session.tsid,
                     resource=session.resource, address=caller.address, now=now)  # fmt: skip
        raise nothing(caller)
    return Found(Asker(caller.client_id, caller.address), whose, entries, upstreams)


def nothing(caller: Caller) -> OAuthError:
    limits.enforce("api_unknown", caller.client_id)
    return OAuthError(
        "not_found",
        "There is no live session of this tsid for a resource of yours. If it has ended, the client has to authorize again.",
        status=404,
    )
