"""`manage.py revoke`: end a session, everything of a person or a client, everybody's connection to an upstream, or all."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import User
from accounts.vault import vault
from accounts.vault.base import SessionGone
from accounts.vault.bounds import is_tsid
from authserver import cascade, receipts
from authserver.cascade import Receipt
from authserver.clients import known
from upstream.models import Provider

ACTOR = "manage.py revoke"


class Command(BaseCommand):
    help = "End access, and print what that ended. Idempotent. --user with --upstream ends that one connection."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--session", metavar="TSID", help="one token session")
        parser.add_argument(
            "--sessions-in", metavar="FILE", help="those whose tsids stand there, one a line; - reads them"
        )
        parser.add_argument("--user", metavar="ID", help="a person's sessions; by id (`sub`) or e-mail address")
        parser.add_argument("--client", metavar="CLIENT_ID", help="a client's sessions, and the consents given to it")
        parser.add_argument("--upstream", metavar="NAME", help="everybody's connection to it, and what needs that")
        parser.add_argument("--all", action="store_true", help="every session, browser sign-in and consent there is")
        parser.add_argument("--opened-before", metavar="WHEN", help="with --all: spare sessions opened since, as "
                            "2027-02-23T12:00:00+00:00")  # fmt: skip
        parser.add_argument("--reason", default="revoked by command", help="for the audit trail")
        parser.add_argument("--dry-run", action="store_true", help="say what would end, and end nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        names = ("session", "sessions_in", "user", "client", "upstream", "all")
        named = [name for name in names if options[name]]
        if named not in ([name] for name in names) and named != ["user", "upstream"]:
            raise CommandError(
                "name one of --session, --sessions-in, --user, --client, --upstream, --all, or --user with --upstream"
            )
        if options["opened_before"] and not options["all"]:
            raise CommandError("--opened-before goes with --all")
        before = moment(options["opened_before"])
        user = find_user(options["user"]) if options["user"] else None
        provider = find_provider(options["upstream"]) if options["upstream"] else ""
        reason = options["reason"]
        if options["dry_run"]:
            self.preview(tsids_of(options, user, provider, before))
        elif options["all"]:
            self.report(cascade.revoke_everything(opened_before=before, reason=reason, actor=ACTOR))
        elif options["sessions_in"]:
            self.report(cascade.revoke_sessions(listed(options["sessions_in"]), reason=reason, actor=ACTOR))
        elif provider:
            self.report(
                cascade.revoke_connection(user, provider, reason=reason, actor=ACTOR)
                if user
                else cascade.revoke_upstream(provider, reason=reason, actor=ACTOR)
            )
        elif user:
            self.report(cascade.revoke_user(user, reason=reason, actor=ACTOR))
        elif options["client"]:
            self.report(cascade.revoke_client(find_client(options["client"]), reason=reason, actor=ACTOR))
        else:
            self.report(cascade.revoke_sessions([find_session(options["session"])], reason=reason, actor=ACTOR))

    def preview(self, tsids: Iterable[str]) -> None:
        would = receipts.preview(tsids, now=timezone.now())
        more = "" if would.is_whole else "more than "
        self.stdout.write(f"would end {more}{would.sessions} sessions, {would.refresh_tokens} refresh tokens")
        for provider, count in would.destroyed.items():
            self.stdout.write(
                f"would destroy {count} credentials of {provider}, tell it of {would.told.get(provider, 0)}"
            )

    def report(self, receipt: Receipt) -> None:
        self.stdout.write(f"ended {receipt.sessions} sessions, {receipt.refresh_tokens} refresh tokens")
        for provider, count in receipt.destroyed.items():
            queued = receipt.queued[provider]
            self.stdout.write(f"destroyed {count} credentials of {provider}, {queued} queued for revocation there")
        self.stdout.write(f"receipt {receipt.id}")


def tsids_of(options: dict[str, Any], user: User | None, provider: str, before: datetime) -> Iterable[str]:
    sessions = vault().sessions
    if options["all"]:
        return sessions.of_everybody(opened_before=before)
    if options["sessions_in"]:
        return [tsid for tsid in listed(options["sessions_in"]) if is_alive(tsid)]
    if provider:
        return cascade.sessions_needing(user.pk, provider) if user else cascade.everybodys_sessions_needing(provider)
    if user:
        return sessions.of_user(user.pk)
    if options["client"]:
        return sessions.of_clients([find_client(options["client"]).client_id])
    return [find_session(options["session"])]


def find_session(tsid: str) -> str:
    if not is_alive(tsid):
        raise CommandError("there is no live session of this tsid")
    return tsid


def is_alive(tsid: str) -> bool:
    try:
        vault().sessions.alive(tsid, now=timezone.now())
    except SessionGone:
        return False
    return True


def listed(file: str) -> list[str]:
    """The tsids of a file, each once. Lines that cannot be one are passed over."""
    try:
        lines = (sys.stdin.read() if file == "-" else Path(file).read_text()).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read ({type(error).__name__})") from None
    return list(dict.fromkeys(line.strip() for line in lines if is_tsid(line.strip())))


def moment(written: str | None) -> datetime:
    """An ISO 8601 moment with its offset; now, where none was given."""
    if not written:
        return timezone.now()
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        raise CommandError("--opened-before is a moment as 2027-02-23T12:00:00+00:00") from None
    if at.tzinfo is None:
        raise CommandError("--opened-before needs its offset, as 2027-02-23T12:00:00+00:00")
    return at


def find_user(named: str) -> User:
    """By id, or by an address that one person has."""
    try:
        found = User.objects.filter(pk=UUID(named))
    except ValueError:
        found = User.objects.filter(email__iexact=named)
    people = list(found[:2])
    if len(people) != 1:
        raise CommandError("nobody is known by that" if not people else "several people have this address: give the id")
    return people[0]


def find_client(client_id: str) -> Any:
    client = known(client_id)
    if client is None:
        raise CommandError("there is no such client")
    return client


def find_provider(name: str) -> str:
    if not Provider.objects.filter(name=name).exists():
        raise CommandError("there is no such upstream")
    return name
