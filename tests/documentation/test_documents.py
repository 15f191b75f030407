"""A document that can be wrong has a test: what it names exists, and what is generated is current."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from authserver.env import table

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
TOP = {path.name for path in ROOT.iterdir() if path.is_dir()}


def test_the_readme_has_the_environment_as_it_is() -> None:
    assert table() in (ROOT / "README.md").read_text(), "python -m authserver.env prints the table"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    text = document.read_text()
    links = [link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text) if not link.startswith("/")]
    missing = [link for link in links if not (document.parent / link).exists()]
    paths = re.findall(r"`((?:[a-z_]+/)+[a-z_0-9.]*)`", text)
    missing += [path for path in paths if path.split("/")[0] in TOP and not (ROOT / path).exists()]
    assert missing == []
