"""`manage.py create_initial_access_token LABEL [--uses N] [--days N]`: let clients register where a token is needed."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from authserver.registration.initial_tokens import MAX_DAYS, MAX_USES, mint


class Command(BaseCommand):
    help = "Print a new initial access token (RFC 7591), which is kept nowhere: who holds it may register clients."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("label", type=label, metavar="LABEL", help="what it is for, as operators will read it")
        parser.add_argument(
            "--uses", type=whole(1, MAX_USES), default=1, metavar="N", help="how many clients may register (default: 1)"
        )
        parser.add_argument(
            "--days", type=whole(1, MAX_DAYS), default=7, metavar="N", help="how long it is good (default: 7)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        made_by = "create_initial_access_token"
        token = mint(
            label=options["label"], uses=options["uses"], days=options["days"], made_by=made_by, now=timezone.now()
        )
        self.stdout.write(token)


def label(given: str) -> str:
    if not 1 <= len(given.strip()) <= 100 or not given.isprintable():
        raise ArgumentTypeError("a label has 1 to 100 characters on one line")
    return given.strip()


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number within bounds."""

    def read(given: str) -> int:
        number = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
        if not least <= number <= most:
            raise ArgumentTypeError(f"{given!r} is not a whole number from {least} to {most}")
        return number

    return read
