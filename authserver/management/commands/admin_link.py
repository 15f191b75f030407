"""`manage.py admin_link [USERNAME]`: a one-time address for an operator's first sign-in, or for a lost password.

Where there is no administrator yet, it makes one: whoever can run this can do everything else, too.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction

from accounts import audit
from accounts.models import User
from authserver import second_factor
from authserver.console import links
from authserver.management.commands.bootstrap import USERNAME

MADE_BY = "admin_link"


class Command(BaseCommand):
    help = "Print an address that lets an operator choose a password and in, once, within fifteen minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "username",
            nargs="?",
            metavar="USERNAME",
            help=f"whose; may be left out (`{USERNAME}`) where there is no administrator: one is made",
        )
        parser.add_argument(
            "--reset-second-factor",
            action="store_true",
            help="take away the authenticator and recovery codes, too: another one is set up behind the link",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = self.operator(options["username"])
        if options["reset_second_factor"]:
            second_factor.remove(user)
            audit.record("console.authenticator_removed", actor=MADE_BY, user_id=user.pk)
        audit.record("console.link_made", actor=MADE_BY, user_id=user.pk)
        self.stdout.write(links.make(user))

    def operator(self, username: str | None) -> User:
        """The one of that name. Raises `CommandError` for whoever is none."""
        if not User.objects.filter(is_superuser=True).exists():
            return first_administrator(username or USERNAME)
        if username is None:
            raise CommandError("There is an administrator already: say whose link it is to be.")
        user = User.objects.filter(username=username, is_active=True, is_staff=True).first()
        if user is None:
            raise CommandError(f"There is no operator {username!r}.")
        return user


def first_administrator(username: str) -> User:
    """Without a password, until the link is used."""
    try:
        with transaction.atomic():  # the username is unique: of two processes, one makes the administrator
            user: User = User.objects.create_superuser(username)
            audit.record("admin.created", actor=MADE_BY, user_id=user.pk)
    except IntegrityError:
        raise CommandError(f"There is no administrator, and somebody else is called {username!r}.") from None
    return user
