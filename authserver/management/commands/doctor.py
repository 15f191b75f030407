"""`manage.py doctor [--json]`: what may be wrong with this server as it runs, what it means and what to do."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from authserver.doctor.examination import examine
from authserver.doctor.findings import Finding, Level, worst


class Command(BaseCommand):
    help = (
        "Look at this server as it runs: configuration, its public address, keys, clocks, database, cache, vault, "
        "providers, maintenance. Changes nothing, takes half a minute at most, exits with 1 where something failed."
    )
    requires_system_checks = []  # they are among the findings, and must not end it

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs: {status, findings}")

    def handle(self, *args: Any, **options: Any) -> None:
        found = examine()
        status = worst(found)
        if options["json"]:
            answer = {"status": status.value, "findings": [finding.as_json() for finding in found]}
            self.stdout.write(json.dumps(answer, indent=2))
        else:
            self.print(found)
        if status is Level.FAILED:
            sys.exit(1)

    def print(self, found: list[Finding]) -> None:
        for finding in found:
            self.stdout.write(f"{finding.level.value:7}  {finding.title}: {finding.meaning}")
            if finding.remedy:
                self.stdout.write(f"         -> {finding.remedy}")
        counts = {level: sum(finding.level is level for finding in found) for level in Level}
        self.stdout.write(", ".join(f"{count} {level.value}" for level, count in counts.items()))
