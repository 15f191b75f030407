"""`manage.py apply_config FILE [--dry-run] [--prune]`: make the database match a configuration file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from authserver.configuration.applying import apply
from authserver.configuration.problems import Refused


class Command(BaseCommand):
    help = (
        "Make the database match a configuration file (YAML). Prints what it changed; the second run changes nothing."
    )
    requires_system_checks = []  # it runs at every start; `manage.py check` has its own turn

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
        parser.add_argument("--prune", action="store_true", help="remove what the file does not name")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        try:
            report = apply(file, prune=options["prune"], dry_run=options["dry_run"], actor="apply_config")
        except Refused as refused:
            raise CommandError("nothing was applied:\n  " + "\n  ".join(refused.lines)) from None
        for line in report.changes:
            self.stdout.write(line)
        for note in report.notes:
            self.stdout.write(f"note: {note}")
        changes = len(report.changes)
        done = f"{changes} change{'s' if changes != 1 else ''}" if changes else "nothing to change"
        self.stdout.write(f"{file.name}: {done}{' (dry run: nothing was written)' if options['dry_run'] else ''}")
