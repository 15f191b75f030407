"""`manage.py revoke`: end a session, everything of a person or a client, or everybody's connection to an upstream."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import User
from accounts.vault import vault
from accounts.vault.base import SessionGone
from authserver import cascade, receipts
from authserver.cascade import Receipt
from authserver.clients import known
from upstream.models import Provider

ACTOR = "manage.py revoke"


class Command(BaseCommand):
    help = "End access, and print what that ended. Idempotent. --user with --upstream ends that one connection."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--session", metavar="TSID", help="one token session")
        parser.add_argument("--user", metavar="ID", help="a person's sessions; by id (`sub`) or e-mail address")
        parser.add_argument("--client", metavar="CLIENT_ID", help="a client's sessions, and the consents given to it")
        parser.add_argument("--upstream", metavar="NAME", help="everybody's connection to it, and what needs that")
        parser.add_argument("--reason", default="revoked by command", help="for the audit trail")
        parser.add_argument("--dry-run", action="store_true", help="say what would end, and end nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        named = [name for name in ("session", "user", "client", "upstream") if options[name]]
        if named not in (["session"], ["user"], ["client"], ["upstream"], ["user", "upstream"]):
            raise CommandError("name one of --session, --user, --client, --upstream, or --user with --upstream")
        user = find_user(options["user"]) if options["user"] else None
        provider = find_provider(options["upstream"]) if options["upstream"] else ""
        reason = options["reason"]
        if options["dry_run"]:
            self.preview(tsids_of(options, user, provider))
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

    def preview(self, tsids: Sequence[str]) -> None:
        would = receipts.preview(tsids, now=timezone.now())
        self.stdout.write(f"would end {would.sessions} sessions, {would.refresh_tokens} refresh tokens")
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


def tsids_of(options: dict[str, Any], user: User | None, provider: str) -> Sequence[str]:
    sessions = vault().sessions
    if provider:
        return cascade.sessions_needing(user.pk, provider) if user else cascade.everybodys_sessions_needing(provider)
    if user:
        return sessions.of_user(user.pk)
    if options["client"]:
        return sessions.of_clients([find_client(options["client"]).client_id])
    return [find_session(options["session"])]


def find_session(tsid: str) -> str:
    try:
        vault().sessions.alive(tsid, now=timezone.now())
    except SessionGone:
        raise CommandError("there is no live session of this tsid") from None
    return tsid


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
