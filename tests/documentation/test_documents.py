"""A document that can be wrong has a test: links resolve, and the paths it names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documentation.documents import DOCUMENTS, OURS, ROOT, fenced, inline_code, name

TOP = {path.name for path in ROOT.iterdir()} - {"var"}  # the first run makes that one
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")


def anchors(document: Path) -> set[str]:
    """The headings' anchors, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for link in _LINK.findall(document.read_text()):
        if ":" in link:  # somebody else's
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_the_paths_it_names_exist(document: Path) -> None:
    named = [text for text in inline_code(document.read_text()) if _PATH.fullmatch(text)]
    ours = [path for path in named if "/" in path and path.split("/")[0] in TOP]
    assert [path for path in ours if not (ROOT / path).exists()] == []


def test_every_folder_on_the_readmes_map_exists() -> None:
    [tree] = [block for block in fenced((ROOT / "README.md").read_text()) if block.startswith("dev, Makefile")]
    top, missing = "", []
    for line in tree.splitlines():
        for folder in re.findall(r"\b([a-z_]+)/(?= |$)", line):
            parent = ROOT / top if line.startswith(" ") else ROOT
            if not line.startswith(" "):
                top = folder
            if not (parent / folder).is_dir():
                missing.append(f"{top}: {folder}/")
    assert missing == []


def test_every_package_of_ours_is_on_the_readmes_map() -> None:
    [tree] = [block for block in fenced((ROOT / "README.md").read_text()) if block.startswith("dev, Makefile")]
    packages = [
        path.parent.name
        for top in ("authserver", "upstream", "accounts")
        for path in (ROOT / top).glob("*/__init__.py")
        if path.parent.name not in {"migrations", "management"}  # where Django wants them, in every application
    ]
    assert [package for package in packages if f"{package}/" not in tree] == []


def test_the_index_and_the_list_of_decisions_leave_nothing_out() -> None:
    docs = ROOT / "docs"
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in (docs / "index.md", docs / "decisions" / "README.md")
        for link in _LINK.findall(page.read_text())
    }
    pages = [path for path in OURS if docs in path.parents and path != docs / "index.md"]
    assert [name(path) for path in pages if path not in linked] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("0*.md")), ids=name)
def test_a_decision_says_what_lost_and_what_follows(page: Path) -> None:
    headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
    assert headings == ["Context", "Decision", "Alternatives that lost", "Consequences"]
    assert page.read_text().startswith(f"# {page.name[:4]} ")
