#!/usr/bin/env python3
"""Bring `locale/de/LC_MESSAGES/django.po` up to date with the sources, and compile the `.mo` beside it.

Needs GNU gettext (`apt-get install gettext`) and Django; nothing else here does, since the `.mo` is committed.
Run it, translate what is empty or marked fuzzy, run it again.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "locale" / "de" / "LC_MESSAGES" / "django.po"
NOT_FOR_PEOPLE = ("upstream/demo/*", "tests/*", "tools/*", "examples/*", "dev/*", ".venv*", "var/*")
MAKE = (sys.executable, "-m", "django", "makemessages", "--locale=de", "--no-location", "--no-obsolete")
DATES = ('"POT-Creation-Date:', '"PO-Revision-Date:')


def main() -> None:
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    ignored = [f"--ignore={pattern}" for pattern in NOT_FOR_PEOPLE]
    subprocess.run([*MAKE, *ignored], cwd=ROOT, check=True)  # noqa: S603 - spelled out above
    lines = CATALOGUE.read_text().splitlines(keepends=True)
    CATALOGUE.write_text("".join(line for line in lines if not line.startswith(DATES)))
    compile_command = ("msgfmt", "--check-format", "-o", CATALOGUE.with_suffix(".mo"), CATALOGUE)
    subprocess.run(compile_command, check=True)  # noqa: S603 - spelled out above


if __name__ == "__main__":
    main()
