"""The file, applied: one transaction, one process at a time, one audit event."""

from __future__ import annotations

from pathlib import Path

from django.db import connection, transaction

from accounts import audit
from authserver import cascade, policy
from authserver.configuration import apps, document, pruning, steps
from authserver.configuration.problems import Problems
from authserver.configuration.steps import Report
from authserver.models import Resource
from upstream.models import Provider

# Any number of ours, the same in every process; PostgreSQL's advisory locks are numbered.
LOCK = 0x6175746873727631


def apply(file: Path, *, prune: bool = False, dry_run: bool = False, actor: str = "") -> Report:
    """Make the database match the file. Raises `Refused`, and then nothing has changed.

    Idempotent: the second time there is nothing to change, and nothing is written. `actor` is for the audit trail.
    """
    report, problems = Report(), Problems()
    configuration = document.read(file, problems)
    with transaction.atomic():
        _wait_for_others()
        known_upstreams = set() if prune else set(Provider.objects.values_list("name", flat=True))
        known_resources = set() if prune else set(Resource.objects.values_list("canonical", flat=True))
        document.check_references(configuration, known_upstreams, known_resources, problems)
        problems.check(file.name)
        steps.upstreams(configuration, report, problems)
        steps.resources(configuration, report)
        steps.resource_servers(configuration, report)
        steps.clients(configuration, report, problems)
        steps.policy(configuration, report, problems)
        blocked = apps.apply(configuration, report, actor=actor)
        problems.check(file.name)
        if prune:
            pruning.prune(configuration, report, actor=actor, dry_run=dry_run)
        else:
            pruning.mention(configuration, report)
        if dry_run:
            transaction.set_rollback(True)
        elif report.changes:
            audit.record("config.applied", actor=actor, file=file.name, pruned=prune, changes=report.changes)
    policy.forget()
    for app in blocked if not dry_run else ():
        cascade.revoke_app(app, reason="app blocked", actor=actor)
    return report


def _wait_for_others() -> None:
    """SQLite took its write lock at BEGIN (`transaction_mode` IMMEDIATE); PostgreSQL is asked, until the commit."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
