"""`manage.py rotate_vault_key`: let the first key take over what the others sealed, and retire those."""

from __future__ import annotations

import base64
import secrets
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts import audit
from accounts.models import VaultKey
from accounts.vault import key_check
from accounts.vault.base import SealingUnavailable
from accounts.vault.resealing import Progress, left_over, reseal, sealed_by
from accounts.vault.sealed_columns import all_columns
from accounts.vault.sealing import sealing_key_id

BAR = 30


class Command(BaseCommand):
    help = (
        "Seal everything anew with the first vault key, while the server goes on, and retire the other keys. "
        "Before: put the new key behind the others on every host and restart; then put it first on every host and restart."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        does = parser.add_mutually_exclusive_group()
        does.add_argument(
            "--generate", action="store_true", help="print a new `id:key`, keep nothing, and do nothing else"
        )
        does.add_argument(
            "--dry-run", action="store_true", help="print how many values each key sealed, and change nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["generate"]:
            self.stdout.write(generated())
            return
        try:
            key_check.verify()
            if options["dry_run"]:
                self.print_counts()
                return
            key_check.note(now=timezone.now())
            self.rotate()
        except (key_check.KeysUnfit, SealingUnavailable) as error:
            raise CommandError(str(error)) from None

    def rotate(self) -> None:
        key_id = sealing_key_id()
        audit.record("vault.rotation_began", actor="rotate_vault_key", key=key_id)
        done = [self.reseal(column) for column in all_columns()]
        resealed, damaged = sum(one.resealed for one in done), sum(one.damaged for one in done)
        self.stdout.write(f"{resealed} values are sealed anew with {key_id}.")
        left = left_over()
        outcome = "failed" if left else "ok"
        audit.record("vault.rotation_ended", outcome=outcome, actor="rotate_vault_key", key=key_id,
                     resealed=resealed, damaged=damaged, left=left)  # fmt: skip
        if left:
            self.print_counts()
            names = ", ".join(f"{number} with {key or 'a key that is not here'}" for key, number in left.items())
            raise CommandError(
                f"Not everything could be taken over: {names}. The audit trail names each value that does not open "
                "(vault.damaged). No key was retired; run this again when they are mended or gone."
            )
        self.retire(key_id)

    def reseal(self, column: Any) -> Progress:
        total = column.rows.exclude(**{column.field: ""}).count()
        progress = Progress(column)
        for progress in reseal(column):
            self.show(progress, total)
        if self.stderr.isatty():
            self.stderr.write("")
        return progress

    def show(self, progress: Progress, total: int) -> None:
        """A bar on a terminal, a line each ten thousand rows elsewhere."""
        if self.stderr.isatty():
            filled = BAR * min(progress.seen, total) // total if total else BAR
            bar = "#" * filled + "." * (BAR - filled)
            self.stderr.write(f"\r[{bar}] {progress.seen}/{total}  {progress.column.model}", ending="")
        elif progress.seen % 10_000 == 0 and progress.seen:
            self.stderr.write(f"{progress.column.model}: {progress.seen} of {total}")

    def retire(self, key_id: str) -> None:
        """Nothing names the others any more: a start without them is allowed from now on."""
        self.print_counts()
        for row in VaultKey.objects.filter(retired_at=None).exclude(pk=key_id):
            VaultKey.objects.filter(pk=row.pk).update(retired_at=timezone.now())
            audit.record("vault.key_retired", actor="rotate_vault_key", key=row.pk)
            self.stdout.write(f"{row.pk} is retired: nothing is sealed with it. Take it out of the configuration.")

    def print_counts(self) -> None:
        for column in all_columns():
            counts = sealed_by(column)
            words = ", ".join(f"{number} with {key or 'a key that is not here'}" for key, number in counts.items())
            self.stdout.write(f"{column}: {words or 'nothing'}")


def generated() -> str:
    """A fresh key under an id that is not in use: `k` and the day, with a letter if that is taken."""
    day = timezone.now().strftime("k%Y%m%d")
    taken = {*settings.VAULT_KEYS, *VaultKey.objects.values_list("pk", flat=True)}
    key_id = next(
        name for name in (day, *(f"{day}{letter}" for letter in "bcdefghijklmnopqrstuvwxyz")) if name not in taken
    )
    return f"{key_id}:{base64.b64encode(secrets.token_bytes(32)).decode()}"
