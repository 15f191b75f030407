"""What a link asks for, held against what is true now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from accounts.models import User
from accounts.vault import vault
from accounts.vault.base import CredentialState, Session, SessionGone
from authserver.connections import Ticket
from authserver.models import Client, Resource, ResourceUpstream
from upstream import identities, providers
from upstream.models import Provider


@dataclass(frozen=True)
class Asked:
    """A ticket whose session, person, client, resource and upstream are all still there. `held` is what the person has
    at the upstream, if anything."""

    ticket: Ticket
    session: Session
    client: Client
    entry: ResourceUpstream
    held: CredentialState | None

    @property
    def resource(self) -> Resource:
        return self.entry.resource

    @property
    def provider(self) -> Provider:
        return self.entry.provider

    @property
    def needed(self) -> tuple[str, ...]:
        """Without these the app cannot go on: the resource's configured scopes, and those the exchange asked for."""
        return providers.unique(self.entry.scopes, self.ticket.scopes)

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the person approves: the provider's own scopes, and all that is needed."""
        return providers.scopes_of(self.provider, self.needed)

    @property
    def lacking(self) -> tuple[str, ...]:
        """What of it the upstream has not granted so far."""
        granted = self.held.scopes if self.held is not None and self.held.live else ()
        return tuple(scope for scope in self.needed if scope not in granted)

    @property
    def why(self) -> str:
        """ "connect", "renew", "widen"; or "lend" where all is there and only this session may not use it yet."""
        if self.held is None:
            return "connect"
        if not self.held.live:
            return "renew"
        return "widen" if self.lacking else "lend"

    def sign_in_choices(self) -> list[Provider]:
        """Where the session's person can show who they are, this upstream first: then one visit does both."""
        theirs = identities.of_person(self.ticket.user_id)
        offered = [provider for provider in providers.sign_in_providers() if provider.name in theirs]
        return sorted(offered, key=lambda provider: provider.pk != self.provider.pk)


def look_up(ticket: Ticket, *, now: datetime) -> Asked | None:
    """What the ticket asks for; None where anything it stands on is gone, ended, disabled or somebody else's."""
    try:
        session = vault().sessions.alive(ticket.tsid, now=now)
    except SessionGone:
        return None
    if session.user_id != ticket.user_id or not session.user_is_active:
        return None
    entry = (
        ResourceUpstream.objects.select_related("resource", "provider")
        .filter(resource__identifier=session.resource, resource__enabled=True)
        .filter(provider__name=ticket.provider, provider__enabled=True)
        .first()
    )
    client = Client.objects.filter(Client.usable(), client_id=session.client_id).select_related("app").first()
    if entry is None or client is None:
        return None
    return Asked(ticket, session, client, entry, _held(ticket))


def _held(ticket: Ticket) -> CredentialState | None:
    """The newest, a live one before a dead one."""
    own = vault().credentials.of_user(ticket.user_id, ticket.provider)
    return next((credential for credential in own if credential.live), own[0] if own else None)


def is_theirs(asked: Asked, person: User) -> bool:
    return person.pk == asked.ticket.user_id
