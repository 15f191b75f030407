#!/usr/bin/env python3
"""Compile every `requirements*.in` into its `.txt`, with hashes. Needs `uv` on the path (`pip install uv`).

One file for every Python from 3.11 and every platform, which plain pip installs. What is pinned already stays pinned;
`--upgrade` takes the newest of everything, `--upgrade-package NAME` of one.

Where a package is needed with an extra (`name[extra]`), pip asks for `name` and `name[extra]` both to be pinned, or it
takes a release newer than the pin for the other and refuses it for having no hash. uv writes one of the two lines, so
the other is added here.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (  # in the order in which one builds on another
    "requirements.in",
    "requirements-aws.in",
    "requirements-otel.in",
    "requirements-dev.in",
    "examples/fastmcp_server/requirements.in",
    "tests/interop/contextforge/requirements.in",
)
UV = ("uv", "pip", "compile", "--quiet", "--universal", "--fork-strategy", "fewest", "--no-strip-extras",
      "--generate-hashes", "--no-header")  # fmt: skip
WITH_EXTRA = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\[[^]]+\](?P<pin>==.*)")


def main() -> None:
    for source in SOURCES:
        path = ROOT / source
        pinned = path.with_suffix(".txt")
        command = [*UV, "--python-version", "3.11", path.name, "-o", pinned.name, *sys.argv[1:]]
        subprocess.run(command, cwd=path.parent, check=True)  # noqa: S603 - spelled out above
        pinned.write_text(f"# Made by tools/pin.py from {path.name}: change that.\n" + with_both(pinned.read_text()))


def with_both(compiled: str) -> str:
    """The same, with `name==1` beside each `name[extra]==1`."""
    lines = compiled.splitlines(keepends=True)
    written: list[str] = []
    for number, line in enumerate(lines):
        if found := WITH_EXTRA.match(line):
            hashes = []
            for following in lines[number + 1 :]:
                if not following.startswith("    --hash="):
                    break
                hashes.append(following)
            written += [f"{found['name']}{found['pin']}\n", *hashes]
        written.append(line)
    return "".join(written)


if __name__ == "__main__":
    main()
