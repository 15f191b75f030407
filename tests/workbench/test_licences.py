"""What we ship is under licences that somebody has looked at, and docs/licences.md says which."""

from __future__ import annotations

import pytest

from tools import licences
from tools.licences import Package, Unclear


def package(name: str, version: str = "1.0") -> Package:
    return Package(name, version, "", (), ())


def test_the_pages_tables_are_those_that_the_packages_give() -> None:
    page = licences.PAGE.read_text()
    tables = [paragraph.strip() for paragraph in page.split("\n\n") if paragraph.startswith("|")]
    assert tables == list(licences.tables()), "run `python -m tools.licences`"


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("AGPL-3.0-only", False),
        ("GPL-2.0-only OR MIT", True),
        ("MIT AND BSD-2-Clause", True),
        ("MIT AND GPL-2.0-only", False),
        ("Proprietary", False),
    ],
)
def test_a_licence_that_is_not_allowed_stops_it(
    expression: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(licences.READ, "newcomer", expression)
    if allowed:
        assert licences.check(package("newcomer")) == expression
    else:
        with pytest.raises(Unclear, match="newcomer is under"):
            licences.check(package("newcomer"))


@pytest.mark.parametrize(
    ("name", "why"),
    [("segno", "segno says ''"), ("django-csp", "under 'BSD', which is not allowed"), ("newcomer", "is not installed")],
)
def test_what_a_package_does_not_say_clearly_somebody_has_to_read(
    name: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(licences.READ, name, raising=False)
    installed = {one.name: one for one in licences.pinned("requirements.txt")}
    with pytest.raises(Unclear, match=why):
        licences.check(installed.get(name, package(name)))


def test_another_release_than_the_pinned_one_says_nothing_about_it() -> None:
    with pytest.raises(Unclear, match=r"is installed and 0\.0\.1 is pinned"):
        licences.check(package("limits", "0.0.1"))


def test_nothing_is_listed_as_read_that_is_not_pinned() -> None:
    assert licences.READ.keys() <= {one.name for file in licences.REQUIREMENTS for one in licences.pinned(file)}
