"""The site is built from the documents without a warning, leads to each of them, and loads nothing from anywhere else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documentation.documents import DOCUMENTS, ROOT, name

_LOADED = re.compile(r'<(?:link|script|img|iframe|source)\b[^>]*\b(?:src|href)="([^"]*)"')
_FROM_A_STYLE = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\s\"')]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs", "-d", f"{directory}/pages"]
    done = subprocess.run(
        [*command, ".", f"{directory}/html"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return directory / "html"


def test_each_document_is_a_page_and_the_front_door_leads_in(site: Path) -> None:
    assert [name(path) for path in DOCUMENTS if not (site / name(path)).with_suffix(".html").is_file()] == []
    [first] = re.findall(r"url=([^\"]+)", (site / "index.html").read_text())
    assert (site / first).is_file()


def test_the_navigation_leads_to_each_page(site: Path) -> None:
    start = site / "docs" / "index.html"
    tree = start.read_text().partition('class="sidebar-tree"')[2].partition("</aside>")[0]
    reached = {(start.parent / link).resolve() for link in re.findall(r'href="([^"#]+)"', tree)}
    pages = [(site / name(path)).with_suffix(".html").resolve() for path in DOCUMENTS]
    assert [str(page) for page in pages if page not in reached | {start.resolve()}] == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages, styles = list(site.rglob("*.html")), list(site.rglob("*.css"))
    assert len(pages) > 40
    loaded = {link for page in pages for link in _LOADED.findall(page.read_text())}
    loaded |= {link for style in styles for link in _FROM_A_STYLE.findall(style.read_text())}
    assert {link for link in loaded if re.match(r"(?:\w+:)?//", link)} == set()
