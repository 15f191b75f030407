"""`manage.py bootstrap`: everything a start needs, in one process: tables, first administrator, configuration, signing key.

Safe to run as often as the server starts, and in several processes at once: one does the work, the others wait and find
it done. `./dev run` calls it, and so does a container before gunicorn.
"""

from __future__ import annotations

import contextlib
import fcntl
import secrets
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts import audit
from accounts.models import User
from accounts.vault import key_check
from accounts.vault.base import SealingUnavailable
from authserver import keys
from authserver.configuration.applying import apply
from authserver.configuration.problems import Refused
from authserver.keys.base import SigningUnavailable

USERNAME = "admin"

# A session lock on PostgreSQL, held over several transactions; not the number that one application of a file holds.
LOCK = 0x6175746873727630

LOCK_TIMEOUT_SECONDS = (
    5  # whoever waits for a table keeps everybody waiting who comes after: the server that still runs
)


class Command(BaseCommand):
    help = "Prepare a start: migrate if needed, apply AUTHSERVER_CONFIG, make sure there is a signing key."
    requires_system_checks = []  # it runs at every start; `manage.py check` has its own turn

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--print-admin",
            action="store_true",
            help=f"where there is no administrator, make `{USERNAME}` and print its password, this once",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with only_one_process():
                migrate_if_needed()
                key_check.verify()
                key_check.note(now=timezone.now())
                if options["print_admin"]:
                    self.print_first_administrator()
                self.apply_configuration()
                keys.signer().ping()
        except OperationalError as error:
            if is_lock_timeout(error):
                raise CommandError(
                    f"a table was in use for more than {LOCK_TIMEOUT_SECONDS} seconds: nothing of this migration was done; "
                    "run it again, at a quieter moment"
                ) from None
            raise CommandError(f"the database does not answer: {str(error).strip()}") from None
        except (SigningUnavailable, SealingUnavailable, key_check.KeysUnfit) as error:
            raise CommandError(str(error)) from None

    def print_first_administrator(self) -> None:
        if User.objects.filter(is_superuser=True).exists():
            return
        password = secrets.token_urlsafe(18)
        try:
            with transaction.atomic():  # the username is unique: of two processes, one makes the administrator
                user = User.objects.create_superuser(USERNAME, password=password)
                audit.record("admin.created", actor="bootstrap", user_id=user.pk)
        except IntegrityError:
            self.stderr.write(
                f"There is no administrator, and somebody else is called {USERNAME}: use createsuperuser."
            )
            return
        address = f"{settings.ISSUER}/{settings.ADMIN_PATH}"
        self.stdout.write(
            f"\n  The first administrator, shown this once:\n"
            f"    address   {address}\n    username  {USERNAME}\n    password  {password}\n"
        )

    def apply_configuration(self) -> None:
        if not settings.CONFIG_FILE:
            return
        try:
            report = apply(Path(settings.CONFIG_FILE), actor="bootstrap")
        except Refused as refused:
            raise CommandError("the configuration was not applied:\n  " + "\n  ".join(refused.lines)) from None
        for line in report.changes:
            self.stdout.write(line)


def migrate_if_needed() -> None:
    """The plan is worked out first: an empty one costs two statements, where `migrate` would check and signal a lot."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        with giving_way():
            call_command("migrate", interactive=False, verbosity=0)


@contextlib.contextmanager
def giving_way() -> Iterator[None]:
    """On PostgreSQL, wait for no lock longer than `LOCK_TIMEOUT_SECONDS`; SQLite has one lock, and its own patience."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")


def is_lock_timeout(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) == "55P03"  # lock_not_available, PostgreSQL appendix A


@contextlib.contextmanager
def only_one_process() -> Iterator[None]:
    """Wait until no other process is at it. Both kinds of lock end with their holder, however that ends."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        return
    directory = Path(settings.DATA_DIR)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "bootstrap.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
