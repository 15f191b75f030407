"""`manage.py rotate_signing_key`: begin or go on with a turn of the signing keys, or revoke one in an emergency."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from accounts.vault.base import SealingUnavailable
from authserver import keys
from authserver.keys import rotation
from authserver.keys.base import SigningUnavailable
from authserver.models import SigningKey

ACTOR = "rotate_signing_key"
Phase = SigningKey.Phase


class Command(BaseCommand):
    help = (
        "Publish the next signing key, or let the published one take over when its time has come. Printed: what was done, "
        "and what comes when. `maintenance` goes on with it by itself."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        does = parser.add_mutually_exclusive_group()
        does.add_argument(
            "--now", action="store_true", help="let the published key take over as soon as verifiers have seen it"
        )
        does.add_argument(
            "--revoke",
            nargs="+",
            metavar="KID",
            help="emergency: refuse from now on what these keys signed; another key signs at once",
        )
        parser.add_argument("--reason", default="", help="with --revoke: why, for the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        try:
            rotation.check_source()
            if options["revoke"]:
                self.revoke(options["revoke"], options["reason"], now)
            else:
                keys.signer().ping()  # the first use makes the first key
                self.turn(now, hurry=options["now"])
        except rotation.NotHere as elsewhere:
            raise CommandError(f"These keys are not in the database. {elsewhere}") from None
        except rotation.NoSuchKey as unknown:
            raise CommandError(f"There is no such key, or no longer: {unknown}. Nothing was revoked.") from None
        except (SigningUnavailable, SealingUnavailable) as error:
            raise CommandError(f"Nothing was done: {error}.") from None
        except DatabaseError as error:
            raise CommandError(f"The database does not answer ({type(error).__name__}). Run it again.") from None

    def turn(self, now: datetime, *, hurry: bool) -> None:
        ahead = rotation.PUBLISHED_AT_LEAST if hurry else rotation.PUBLISHED_AHEAD
        done = rotation.advance(now=now, actor=ACTOR, ahead=ahead)
        if done.published:
            self.stdout.write(f"{done.published} is published.")
        if done.activated:
            self.stdout.write(f"{done.activated} signs from now on.")
        for kid in done.removed:
            self.stdout.write(f"{kid} is gone: its last token has ended.")
        self.print_keys(now)
        if hurry and not done.activated:
            raise CommandError("Nothing took over yet: verifiers that hold the key set would refuse what it signs.")

    def revoke(self, kids: list[str], reason: str, now: datetime) -> None:
        signing = rotation.revoke(kids, now=now, actor=ACTOR, reason=reason or f"by {getpass.getuser()}")
        self.stdout.write(
            f"Revoked: {', '.join(kids)}. Every process refuses within seconds what they signed, and signs with {signing}. "
            "Others do when their copy of the key set is over, in five minutes. Sessions go on: clients refresh."
        )
        self.print_keys(now)

    def print_keys(self, now: datetime) -> None:
        for row in SigningKey.objects.order_by("phase", "-created_at"):
            self.stdout.write(f"{row.kid}  {row.algorithm}  {row.phase:7}  {what_comes(row, now)}")


def what_comes(row: SigningKey, now: datetime) -> str:
    """What happens to a key, and when."""
    if row.phase == Phase.NEXT:
        hurry, orderly = (
            _at(row.created_at + ahead, now) for ahead in (rotation.PUBLISHED_AT_LEAST, rotation.PUBLISHED_AHEAD)
        )
        return f"takes over with the next run {orderly}, with --now {hurry}"
    if row.phase == Phase.ACTIVE:
        return f"the next turn begins {_at(rotation.turn_begins_at(row), now)}"
    leaves_at = rotation.leaves_at(row)
    return f"is removed {_at(leaves_at, now)}" if leaves_at else "stays: nobody noted when it was retired"


def _at(moment: datetime, now: datetime) -> str:
    return "from now on" if moment <= now else f"from {moment:%Y-%m-%d %H:%M} UTC on"
