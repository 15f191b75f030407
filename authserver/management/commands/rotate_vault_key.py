"""`manage.py rotate_vault_key`: let the first key take over what the others sealed, and retire those."""

from __future__ import annotations

import base64
import contextlib
import secrets
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from accounts import audit
from accounts.models import VaultKey
from accounts.vault import key_check, sealed_counts
from accounts.vault.base import SealingUnavailable
from accounts.vault.resealing import Progress, left_over, reseal
from accounts.vault.sealed_columns import SealedColumn, all_columns
from accounts.vault.sealing import sealing, sealing_key_id

BAR = 30
PASSES = 5  # a process that still seals with an old key may do so for ever
MOST_NAMED = 20
AGAIN = "What is done stays done: run this again."


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
            "--dry-run",
            action="store_true",
            help="print how many values each key sealed, and change nothing; fails where one is sealed with a key that "
            "was retired or is not here",
        )
        does.add_argument(
            "--back", action="store_true", help="go back to an older key: retire also keys that came into use after it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["generate"]:
                self.stdout.write(generated())
                return
            key_check.verify()
            if options["dry_run"]:
                self.look()
            else:
                self.rotate(back=options["back"])
        except key_check.KeysUnfit as error:
            raise CommandError(str(error)) from None
        except SealingUnavailable as error:
            raise CommandError(f"Stopped: {error}. {AGAIN}") from None
        except DatabaseError as error:
            raise CommandError(f"Stopped: the database does not answer ({type(error).__name__}). {AGAIN}") from None
        except KeyboardInterrupt:
            raise CommandError(f"Stopped. {AGAIN}", returncode=130) from None

    def look(self) -> None:
        """What each key sealed. A start asks for no retired key, so it is here that one still in use shows."""
        self.print_counts()
        wanted = set(VaultKey.objects.filter(retired_at=None).values_list("pk", flat=True)) & sealing().prefixes.keys()
        if strays := Counter({key: number for key, number in left_over().items() if key not in wanted}):
            raise CommandError(
                f"Sealed with a key that was retired, or is not here: {_in_words(strays)}. If that was not long ago, a "
                "process still has the key first: give it the keys of the others and restart it. Then keep the key behind "
                "the others everywhere, and run rotate_vault_key again."
            )

    def rotate(self, *, back: bool) -> None:
        key_id, others = self.taking_over(back=back)
        audit.record("vault.rotation_began", actor="rotate_vault_key", key=key_id)
        resealed = 0
        for _ in range(PASSES):
            done = [self.reseal(column) for column in all_columns()]
            resealed += sum(one.resealed for one in done)
            left = left_over()
            if left.total() <= sum(len(one.damaged) for one in done):
                break
        self.stdout.write(f"{resealed} values are sealed anew with {key_id}.")
        audit.record("vault.rotation_ended", outcome="failed" if left else "ok", actor="rotate_vault_key", key=key_id,
                     resealed=resealed, damaged=sum(len(one.damaged) for one in done), left=dict(left))  # fmt: skip
        self.print_counts()
        self.retire([other for other in others if other not in left])
        if left:
            raise CommandError("\n".join([f"Not everything could be taken over: {_in_words(left)}.", *why(done, left)]))
        if not others and (behind := [other for other in sealing().prefixes if other != key_id]):
            self.stdout.write(
                f"{', '.join(behind)}: behind {key_id}, and sealed nothing. A new key takes over when it is first."
            )

    def taking_over(self, *, back: bool) -> tuple[str, list[str]]:
        """The first key, and those that it takes over from; the ones that come into use from now on are not among them."""
        key_id = sealing_key_id()
        rows = {row.pk: row for row in VaultKey.objects.filter(retired_at=None)}
        if key_id not in rows:
            raise CommandError(
                f"{key_id} has not come into use: no server has been started with it as its first key. Restart every "
                "process with these keys before you run this, or those without it cannot open what it seals."
            )
        others = {pk: row for pk, row in rows.items() if pk != key_id}
        newer = [pk for pk, row in others.items() if row.first_used_at > rows[key_id].first_used_at]
        if newer and not back:
            raise CommandError(
                f"{', '.join(newer)} came into use after {key_id}, which is first here. Is this an older configuration? "
                f"Run it where the newest key is first. To go back to {key_id} for good, put it first everywhere, restart, "
                "and add --back."
            )
        return key_id, list(others)

    def reseal(self, column: SealedColumn) -> Progress:
        key_id = sealing_key_id()
        before = sealed_counts.count(column, now=timezone.now())
        progress = Progress(column)
        for progress in reseal(column):
            self.show(progress, before.total() - before[key_id])
            moved = Counter({key_id: progress.resealed})
            moved.subtract(progress.taken_from)
            sealed_counts.keep(column, before + moved, now=timezone.now())  # the console shows how far it is
        if progress.seen and self.stderr.isatty():
            self.stderr.write("")
        return progress

    def show(self, progress: Progress, total: int) -> None:
        """A bar on a terminal, a line each ten thousand rows elsewhere."""
        total = max(total, progress.seen)
        if self.stderr.isatty():
            filled = BAR * progress.seen // total
            bar = "#" * filled + "." * (BAR - filled)
            self.stderr.write(f"\r[{bar}] {progress.seen}/{total}  {progress.column.model}", ending="")
        elif progress.seen % 10_000 == 0:
            self.stderr.write(f"{progress.column.model}: {progress.seen} of {total}")

    def retire(self, key_ids: list[str]) -> None:
        """Nothing names them any more: a start without them is allowed from now on."""
        for key_id in key_ids:
            if VaultKey.objects.filter(pk=key_id, retired_at=None).update(retired_at=timezone.now()):
                audit.record("vault.key_retired", actor="rotate_vault_key", key=key_id)
                self.stdout.write(f"{key_id} is retired: nothing is sealed with it. Take it out of the configuration.")

    def print_counts(self) -> None:
        for column in all_columns():
            self.stdout.write(f"{column}: {_in_words(sealed_counts.count(column, now=timezone.now())) or 'nothing'}")


def why(done: list[Progress], left: Counter[str]) -> list[str]:
    """What stands in the way, and what to do about it."""
    damaged = [f"  - {one.column.model} {pk}: {reason}" for one in done for pk, reason in one.damaged.items()]
    lines = []
    if damaged:
        more = [f"  - and {len(damaged) - MOST_NAMED} more, in the audit trail (vault.damaged)"]
        lines += ["Do not open:", *damaged[:MOST_NAMED], *(more if len(damaged) > MOST_NAMED else [])]
    if left.total() > len(damaged):
        lines.append("A process still seals with an old key: put the new one first there, and restart it.")
    return [*lines, "The keys of what is left were not retired. Run this again when it is mended or gone."]


def _in_words(counts: Counter[str]) -> str:
    return ", ".join(f"{number} with {_name(key_id)}" for key_id, number in counts.items())


def _name(key_id: str) -> str:
    if key_id in sealing().prefixes:
        return key_id
    return f"{key_id} (not here)" if key_id else "no key that was ever used here"


def generated() -> str:
    """A fresh key under an id that is not in use: `k` and the day, with a letter if that is taken."""
    day = timezone.now().strftime("k%Y%m%d")
    taken = {*settings.VAULT_KEYS, *settings.KMS_KEYS}
    with contextlib.suppress(DatabaseError):  # before the first migration there is none
        taken |= set(VaultKey.objects.values_list("pk", flat=True))
    key_id = next(
        name for name in (day, *(f"{day}{letter}" for letter in "bcdefghijklmnopqrstuvwxyz")) if name not in taken
    )
    return f"{key_id}:{base64.b64encode(secrets.token_bytes(32)).decode()}"
