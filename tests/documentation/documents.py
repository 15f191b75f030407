"""Our documents, and what can be told apart in them: code, whether inline or fenced, from prose."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
OURS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
DOCUMENTS = [*OURS, *sorted((ROOT / "examples").rglob("*.md"))]

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def inline_code(text: str) -> list[str]:
    """What stands between single backticks, outside of fences."""
    return re.findall(r"`([^`\n]+)`", _FENCED.sub("", text))


def fenced(text: str, language: str | None = None) -> list[str]:
    """The fenced blocks of a language, or all of them."""
    return [block for written, block in _FENCED.findall(text) if language in (None, written)]


def code(text: str) -> list[str]:
    """Inline code, and each line of a fenced block without its comment."""
    lines = [line.split(" #")[0].strip() for block in fenced(text) for line in block.splitlines()]
    return [*inline_code(text), *lines]
