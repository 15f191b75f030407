"""The section `apps`: what an operator has decided about apps before, or without, looking at the console's queue.

    apps:
      - {cimd_host: claude.ai, name: Claude, state: verified}
      - {name: Claude Code, redirect_uris: ["http://localhost/callback"], state: approved}

The file decides about what it names, with two exceptions: a block set in the console is not lifted by a restart, and what
operators have merged into another app is decided about with that one, unless the file blocks it: then it blocks both.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from authserver import app_registry
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
    with app_registry.one_decision():
        each = [_apply_one(entry, report, actor or "configuration") for entry in configuration.apps or ()]
    return [row for row in each if row is not None]


def _apply_one(entry: App, report: Report, actor: str) -> AppRow | None:
    """The app, where this blocks it."""
    assert entry.identity is not None  # noqa: S101 - a problem was found otherwise, and nothing is applied
    row = AppRow.objects.select_related("merged_into").filter(key=entry.identity.key).first()
    is_new, values = row is None, dict(entry.values)
    row = row or AppRow.of(entry.identity)
    if row.merged_into is not None:
        main = row.merged_into
        report.notes.append(f"app {row} is merged into {main}: only a block counts here (the console splits it out)")
        row, values = main, {"state": AppRow.State.BLOCKED} if values["state"] == AppRow.State.BLOCKED else {}
    elif row.is_blocked and values["state"] != AppRow.State.BLOCKED:
        report.notes.append(f"app {row} is blocked (the console unblocks it)")
        del values["state"]
    text = values.pop("note", "")
    changed = set_differing(row, values)
    if "state" in changed:
        row.decided_at, row.decided_by = timezone.now(), actor
    decided = ["decided_at", "decided_by"] if "state" in changed else []
    app_registry.write(row, {name: getattr(row, name) for name in (*changed, *decided)})
    if text and not row.notes.filter(text=text).exists():
        row.notes.create(at=timezone.now(), by=actor, text=text)
        changed.append("note")
    if is_new:
        report.added("app", str(row))
    else:
        report.changed("app", str(row), changed)
    return row if "state" in changed and row.is_blocked else None
