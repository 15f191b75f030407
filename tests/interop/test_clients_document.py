"""`docs/connect-clients.md`: its rows are the shapes that are put through the flow, its files are files."""

from __future__ import annotations

import json
import re

import pytest

from tests.documentation.documents import ROOT, fenced
from tests.interop.shapes import SHAPES
from tests.unit.cimd.test_known_clients import PUBLISHED

TEXT = (ROOT / "docs" / "connect-clients.md").read_text()
ROWS = re.findall(r"^\| ([^|`]+) \| `([^`]+)` \| `([^`]+)` \|$", TEXT, re.MULTILINE)
NAMES = {"Claude": "Claude.ai", "ChatGPT": "ChatGPT with a secret"}
"""Rows that stand for more than one shape."""


@pytest.mark.parametrize(("client", "says", "address"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_is_a_shape_that_is_tested(client: str, says: str, address: str) -> None:
    shape = SHAPES[NAMES.get(client, client)]
    assert shape.registers["client_name"] == says
    assert shape.redirect_uri.replace("{port}", "PORT") == address


def test_each_kind_of_client_has_its_row() -> None:
    told = {(says, address) for _client, says, address in ROWS}
    assert {shape.registers["client_name"] for shape in SHAPES.values()} - {says for says, _address in told} == {
        "TypeScript client"
    }


def test_the_metadata_documents_it_names_are_those_that_are_read() -> None:
    named = re.findall(r"\(`(https://[^`]+)`\)", TEXT)
    assert set(named) == {one["client_id"] for one in PUBLISHED}


def test_each_file_to_paste_is_json_and_names_the_same_server() -> None:
    files = [json.loads(block) for block in fenced(TEXT, "json")]
    assert len(files) == 3
    assert all("https://mcp.example.com/mcp" in json.dumps(file) for file in files)
