"""docs/reference/ is what the code says."""

from __future__ import annotations

import runpy

import pytest

from tests.documentation.documents import ROOT

REFERENCE = ROOT / "docs" / "reference"
PAGES: dict[str, str] = runpy.run_path(str(ROOT / "tools" / "reference.py"))["pages"]()


def test_there_is_no_page_that_nothing_writes() -> None:
    assert {path.name for path in REFERENCE.glob("*")} == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_its_tool_writes(name: str) -> None:
    assert (REFERENCE / name).read_text() == PAGES[name], "run tools/reference.py"
