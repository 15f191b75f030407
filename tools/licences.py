"""Under which licences the server's pinned packages are: `python -m tools.licences` writes the tables of docs/licences.md.

Run it where they are installed (`.venv/bin/python`): the licence is what a package's metadata says, or what somebody read in
its licence file. A licence that is not in `ALLOWED`, and a package that does not say clearly, stop it.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
REQUIREMENTS = ("requirements.txt", "requirements-aws.txt", "requirements-otel.txt")

_PERMISSIVE = "Permissive: keep the notice."
_LIBRARY = "Copyleft for the library, not for what uses it: we do not change it, and pip puts another one in its place."
ALLOWED = {
    "Apache-2.0": "Permissive, with a grant of patents: keep the notice.",
    "BSD-2-Clause": _PERMISSIVE,
    "BSD-3-Clause": _PERMISSIVE,
    "ISC": _PERMISSIVE,
    "LGPL-3.0-only": _LIBRARY,
    "LGPL-3.0-or-later": _LIBRARY,
    "MIT": _PERMISSIVE,
    "MIT-0": "Permissive, and no notice is asked for.",
    "MPL-2.0": "Copyleft file by file: we change none of them.",
    "PSF-2.0": "Python's own; permissive: keep the notice.",
    "Unlicense": "Given to the public domain.",
}
"""By SPDX identifier, with what it asks of whoever distributes the server."""

READ = {
    "async-timeout": "Apache-2.0",
    "defusedxml": "PSF-2.0",
    "django-csp": "BSD-3-Clause",
    "django-oauth-toolkit": "BSD-2-Clause",
    "protobuf": "BSD-3-Clause",
    "python-dateutil": "BSD-3-Clause",
    "python3-openid": "Apache-2.0",
    "s3transfer": "Apache-2.0",
    "segno": "BSD-3-Clause",
    "sqlparse": "BSD-3-Clause",
    "tzdata": "Apache-2.0",
    "ua-parser-builtins": "Apache-2.0",
    "uritemplate": "BSD-3-Clause OR Apache-2.0",
}
"""Packages whose metadata has no SPDX expression, or that are installed on some systems only: what their files say."""

_PIN = re.compile(
    r"^(?P<name>[a-z0-9.-]+)(?:\[[a-z0-9, -]+\])?==(?P<version>[^\s;]+)(?: ; (?P<marker>[^\\\n]+?))?"
    r"(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n(?P<via>(?:    #[^\n]*\n?)*)",
    re.MULTILINE,
)


class Unclear(Exception):
    """A licence that nobody has looked at; the message says of what, and what to do."""


@dataclass(frozen=True)
class Package:
    """One pinned release. `wanted_by` are names of packages, and files as `-r requirements.in`; `marker` is PEP 508's."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    wanted_by: tuple[str, ...]

    @property
    def licence(self) -> str:
        """An SPDX expression. Raises `Unclear`."""
        return READ.get(self.name) or self._declared()

    @property
    def licence_is_read(self) -> bool:
        return self.name in READ

    def _declared(self) -> str:
        try:
            metadata: Any = importlib.metadata.metadata(self.name)  # a Message, whatever the stubs say
        except importlib.metadata.PackageNotFoundError:
            raise Unclear(f"{self.name} is not installed: read its licence, and add it to READ in {__name__}") from None
        if metadata["Version"] != self.version:
            raise Unclear(f"{self.name} {metadata['Version']} is installed and {self.version} is pinned")
        said = metadata.get("License-Expression") or metadata.get("License") or ""
        if not re.fullmatch(r"[A-Za-z0-9.+-]+(?: (?:AND|OR) [A-Za-z0-9.+-]+)*", said):
            raise Unclear(f"{self.name} says {said[:40]!r}: read its licence file, and add it to READ in {__name__}")
        return said


def pinned(requirements: str) -> list[Package]:
    """What a compiled file of requirements pins, each once, by name."""
    found: dict[str, Package] = {}
    for pin in _PIN.finditer((ROOT / requirements).read_text()):
        via = [line.strip(" #") for line in pin["via"].splitlines()]
        wanted_by = tuple(sorted({one.removeprefix("via").strip() for one in via} - {""}))
        hashes = tuple(re.findall(r"sha256:([0-9a-f]{64})", pin["hashes"]))
        before = found.get(pin["name"])  # with its extras it stands there a second time
        wanted_by = tuple(sorted({*wanted_by, *(before.wanted_by if before else ())}))
        found[pin["name"]] = Package(pin["name"], pin["version"], pin["marker"] or "", hashes, wanted_by)
    return sorted(found.values(), key=lambda package: package.name)


def check(package: Package) -> str:
    """Its licence, if we may use it: every part of an AND, or one of an OR. Raises `Unclear`."""
    expression = package.licence
    if not any(all(part in ALLOWED for part in choice.split(" AND ")) for choice in expression.split(" OR ")):
        remedy = f"read its licence, and add that to ALLOWED of {__name__}, or the package to READ"
        raise Unclear(f"{package.name} is under {expression!r}, which is not allowed: {remedy}")
    return expression


def tables() -> tuple[str, str]:
    """Of the licences in use, and of the packages, in Markdown: docs/licences.md holds exactly these. Raises `Unclear`."""
    seen: dict[str, tuple[Package, str]] = {}
    for file in REQUIREMENTS:
        for package in pinned(file):
            seen.setdefault(package.name, (package, "" if file == REQUIREMENTS[0] else f"`{file}`"))
    packages = [
        f"| {name} | {check(package)} | {'its files' if package.licence_is_read else 'its metadata'} | {extra} |"
        for name, (package, extra) in sorted(seen.items())
    ]
    in_use = {part for package, _ in seen.values() for part in re.split(" AND | OR ", package.licence)}
    allowed = [f"| {name} | {why} |" for name, why in ALLOWED.items() if name in in_use]
    return _table("licence | what it asks", allowed), _table("package | licence | said by | only with", packages)


def _table(head: str, rows: list[str]) -> str:
    return "\n".join([f"| {head} |", "|" + " --- |" * (head.count("|") + 1), *rows])


def in_place(page: str, table: str) -> str:
    """The page with this table in place of the one that has the same head."""
    head = table.partition("\n")[0]
    before, _, rest = page.partition(f"{head}\n")
    after = rest.splitlines(keepends=True)
    while after and after[0].startswith("|"):
        del after[0]
    return f"{before}{table}\n{''.join(after)}"


def main() -> None:
    try:
        allowed, packages = tables()
    except Unclear as unclear:
        sys.exit(str(unclear))
    PAGE.write_text(in_place(in_place(PAGE.read_text(), allowed), packages))


if __name__ == "__main__":
    main()
