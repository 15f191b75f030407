"""What is said of an app in more than one place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from authserver import app_registry
from authserver.models import App

SUSPICIONS = {
    "looks_like": gettext_lazy("looks like “%(name)s”, which is another app"),
    "claims": gettext_lazy("claims to be official or verified"),
    "mixed_scripts": gettext_lazy("mixes look-alike letters of several scripts"),
}


def suspicion(app: App) -> str:
    """Of an app that was `counts.counted`; empty where there is none."""
    likeness = app.likeness or ""  # type: ignore[attr-defined]  # annotated there
    found = app_registry.imitations(app, likeness, name=app.name)
    return "; ".join(str(SUSPICIONS[kind]) % {"name": likeness} for kind in found)


@dataclass(frozen=True)
class Setting:
    """What is set for an app, and what is set for the one that it is merged into."""

    label: str
    before: str
    after: str


def differing(app: App, main: App) -> Iterator[Setting]:
    """What a merge would change for it, besides its state."""
    scopes = [one.allowed_scopes or _("all of the resource's") for one in (app, main)]
    told = [one.told or _("nothing") for one in (app, main)]
    tokens = [_("used again and again") if one.reusable_refresh_tokens else _("rotate") for one in (app, main)]
    for label, (before, after) in ((_("Scopes it may ask for"), scopes), (_("What people are told"), told),
                                   (_("Refresh tokens"), tokens)):  # fmt: skip
        if before != after:
            yield Setting(label, before, after)
