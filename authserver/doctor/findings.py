"""What an examination gives: how bad, of what, what it means, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext_lazy as _


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"

    @property
    def label(self) -> str:
        return str(_LABELS[self])


_LABELS = {Level.OK: _("ok"), Level.WARNING: _("warning"), Level.FAILED: _("failed")}
WORST_FIRST = (Level.FAILED, Level.WARNING, Level.OK)


@dataclass(frozen=True)
class Finding:
    """`check` is a stable dotted name for scripts; the rest is for people, in their language. `remedy` may be empty."""

    check: str
    level: Level
    title: str
    meaning: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        return {
            "check": self.check,
            "level": self.level.value,
            "title": self.title,
            "meaning": self.meaning,
            "remedy": self.remedy,
        }


def ok(check: str, title: str, meaning: str) -> Finding:
    return Finding(check, Level.OK, title, meaning)


def warning(check: str, title: str, meaning: str, remedy: str) -> Finding:
    return Finding(check, Level.WARNING, title, meaning, remedy)


def failed(check: str, title: str, meaning: str, remedy: str) -> Finding:
    return Finding(check, Level.FAILED, title, meaning, remedy)


def worst(findings: Iterable[Finding]) -> Level:
    """Of all of them; `ok` of none."""
    found = {finding.level for finding in findings}
    return next((level for level in WORST_FIRST if level in found), Level.OK)
