"""The compiled requirements: whole, hashed, and from nowhere in particular."""

from __future__ import annotations

import re

import pytest

from tests.harness.server import ROOT

FILES = [
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-aws.txt",
    "requirements-otel.txt",
    "tests/interop/contextforge/requirements.txt",
    *(str(path.relative_to(ROOT)) for path in ROOT.glob("examples/*/requirements.txt")),
]
PIN = re.compile(
    r"^(?P<name>[a-z0-9.-]+)(?:\[[a-z0-9, -]+\])?==(?P<version>[^\s;]+)(?P<marker> ; [^\\]+)?"
    r"(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)$",
    re.MULTILINE,
)


@pytest.mark.parametrize("file", FILES)
def test_every_pin_has_its_hashes_and_no_line_names_a_place(file: str) -> None:
    text = (ROOT / file).read_text()
    rest = "".join(line for line in PIN.sub("", text).splitlines(keepends=True) if not line.lstrip().startswith("#"))
    assert rest.split() == [], "neither an unhashed requirement nor an index, a link or a path"
    assert not re.search(r"://|(^|\s)/", text)


def test_the_server_is_tested_with_exactly_what_it_ships_with() -> None:
    shipped, tested = (
        {pin["name"]: pin["version"] for pin in PIN.finditer((ROOT / file).read_text())} for file in FILES[:2]
    )
    assert {name: tested.get(name) for name in shipped} == shipped
