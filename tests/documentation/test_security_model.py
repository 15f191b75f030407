"""`docs/security-model.md`: each test that it names exists, and each row names one or says why there is none."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.documentation.documents import ROOT

TEXT = (ROOT / "docs" / "security-model.md").read_text()
ROWS = [
    row for row in re.findall(r"^\| (.+) \|$", TEXT, re.MULTILINE) if not row.startswith(("---", "section", "asks"))
]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))
EXCUSES = ("**Not met**", "not ours")


@cache
def functions_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _file, test in NAMED])
def test_a_test_that_is_named_exists(file: str, test: str) -> None:
    assert test in functions_of(file)


def test_each_row_has_a_test_or_says_why_not() -> None:
    assert len(ROWS) > 50
    bare = [row for row in ROWS if "::test_" not in row and not any(excuse in row for excuse in EXCUSES)]
    assert bare == []


def test_the_sections_of_rfc_9700_are_all_there() -> None:
    table = TEXT.partition("## RFC 9700")[2].partition("## OAuth 2.1")[0]
    told = set(re.findall(r"\b[24]\.\d+(?:\.\d)?\b", " ".join(re.findall(r"^\| ([\d., ]+) \|", table, re.MULTILINE))))
    attacks = {f"4.{number}" for number in range(1, 18)} - {"4.10", "4.11"}
    assert {"2.1", "2.1.1", "2.1.2", "2.2.1", "2.2.2", "2.3", "2.4", "2.5", "2.6"} | attacks <= told
    assert {"4.10.1", "4.10.2", "4.11.2"} <= told
