"""The section `apps`: what an operator has decided about apps before, or without, looking at the console's queue.

    apps:
      - {cimd_host: claude.ai, name: Claude, state: verified}
      - {name: Claude Code, redirect_uris: ["http://localhost/callback"], state: approved}

The file decides about what it names, with one exception: a block set in the console is not lifted by a restart.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from authserver.app_identity import Identity, identity
from authserver.configuration import shapes
from authserver.configuration.callers import redirect_uri
from authserver.configuration.entries import App, Configuration
from authserver.configuration.reading import Fields
from authserver.configuration.steps import Report, set_differing
from authserver.models import App as AppRow


def read(entry: Fields) -> App:
    """One entry."""
    found, values = _identity(entry), _values(entry)
    anybodys = found is not None and not AppRow(kind=found.kind, place=found.place).can_be_verified
    if anybodys and values["state"] == AppRow.State.VERIFIED:
        entry.problem("state", "cannot be verified: anybody can register under this name there", "write `approved`")
    entry.done()
    return App(line=entry.line, key=entry.key, identity=found, values=values)


def _identity(entry: Fields) -> Identity | None:
    """By its documents' host, or by its name and redirect URIs as one registration has them."""
    if entry.has("cimd_host"):
        host = entry.text("cimd_host", check=shapes.domain)
        name = entry.text("name", default=host)
        if entry.has("redirect_uris"):
            entry.node("redirect_uris")
            entry.problem("redirect_uris", "stands beside cimd_host", "remove one of them")
        return identity(source="cimd", client_id=f"https://{host}/", name=name, redirect_uris=()) if host else None
    name = entry.text("name", required=True)
    uris = entry.texts("redirect_uris", required=True, longest=2048, check=redirect_uri)
    return identity(source="dcr", client_id="", name=name, redirect_uris=uris) if name and uris else None


def _values(entry: Fields) -> dict[str, Any]:
    return {
        "state": entry.text("state", required=True, choices=AppRow.State.values, default=AppRow.State.PENDING),
        "allowed_scopes": " ".join(entry.texts("scopes", check=shapes.scope)),
        "reusable_refresh_tokens": entry.flag("reusable_refresh_tokens"),
        "told": entry.text("told", longest=500),
        "note": entry.text("note", longest=2000),
    }


def apply(configuration: Configuration, report: Report, *, actor: str) -> list[AppRow]:
    """Make the rows match; the apps that are blocked from now on, whose sessions the caller ends once this is committed."""
    blocked: list[AppRow] = []
    for entry in configuration.apps or ():
        assert entry.identity is not None  # noqa: S101 - a problem was found otherwise, and nothing is applied
        row = AppRow.objects.filter(key=entry.identity.key).first()
        is_new, values = row is None, dict(entry.values)
        row = row or AppRow.of(entry.identity)
        if row.is_blocked and values["state"] != AppRow.State.BLOCKED:
            report.notes.append(f"app {row} is blocked (the console unblocks it)")
            del values["state"]
        changed = set_differing(row, values)
        if "state" in changed:
            row.decided_at, row.decided_by = timezone.now(), actor or "configuration"
            blocked += [row] if row.is_blocked else []
        row.save()
        if is_new:
            report.added("app", str(row))
        else:
            report.changed("app", str(row), changed)
    return blocked
