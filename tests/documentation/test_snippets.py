"""Every block of commands or code in the documents is run by a test, or stands in a short list with the reason."""

from __future__ import annotations

import json
import re

import pytest

from tests.documentation.documents import ROOT, fenced, name
from tests.documentation.snippets import LANGUAGES, NOT_RUN, READ, RUN

BLOCKS = [
    (name(path), block) for path in READ for language in LANGUAGES for block in fenced(path.read_text(), language)
]
TYPED = re.compile(r"(?:\$ |\./dev |manage\.py |\.venv/bin/|curl |openssl |kubectl |docker |pip |npx |python3? )")


def places(document: str, block: str) -> list[tuple[str, str]]:
    return [place for place in [*RUN, *NOT_RUN] if place[0] == document and block.startswith(place[1])]


@pytest.mark.parametrize(("document", "block"), BLOCKS, ids=[f"{where}: {block[:30]}" for where, block in BLOCKS])
def test_a_block_has_its_test_or_its_reason(document: str, block: str) -> None:
    assert places(document, block), "add it to tests/documentation/snippets.py"


def test_no_place_is_left_over() -> None:
    used = {place for document, block in BLOCKS for place in places(document, block)}
    assert {*RUN, *NOT_RUN} - used == set()
    assert [test for test in RUN.values() if not (ROOT / test).is_file()] == []


def test_what_is_typed_is_marked_as_such() -> None:
    """A block of no language, or of `text`, holds no command."""
    other = [block for path in READ for language in ("", "text") for block in fenced(path.read_text(), language)]
    assert [line for block in other for line in block.splitlines() if TYPED.match(line)] == []


def test_every_json_is_json() -> None:
    for path in READ:
        for block in fenced(path.read_text(), "json"):
            json.loads(block)
