"""Writing clients that describe themselves: made once, replaced whole, and what was approved about the old one undone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from accounts.prepared_writes import PreparedInsert
from authserver.client_metadata import ClientMetadata
from authserver.hashers import hash_secret, new_secret
from authserver.models import App, Client, Consent, PendingAuthorization

_INSERT = PreparedInsert(Client)


def create(
    client_id: str, metadata: ClientMetadata, *, source: str, secret: str | None = None, **columns: Any
) -> Client:
    """Insert one client, in one statement. Raises `IntegrityError` where `client_id` is taken.

    A public client gets a random secret that nobody ever sees: an empty one could be guessed.
    """
    client = Client(
        client_id=client_id,
        client_secret=hash_secret(secret or new_secret()),
        registration_source=source,
        **metadata.fields(),
        **columns,
    )
    client.app = App.of(client.identity)
    _INSERT.save(client)
    return client


def differences(client: Client, metadata: ClientMetadata) -> list[str]:
    """The columns in which what the client says now differs from what it said before."""
    return sorted(name for name, value in metadata.fields().items() if getattr(client, name) != value)


def replace(
    client: Client, metadata: ClientMetadata, *, now: datetime, secret: str | None = None, **columns: Any
) -> bool:
    """Write what the client says now over what it said before. True where people would see another client.

    Where its name or a redirect URI changed, everything a person or an operator approved was approved about another
    client: consents are asked again, requests on their way are dropped, nobody vouches for it any more, and it belongs to
    the app that it looks like now.
    Raises `Client.DoesNotExist` where it was removed meanwhile.
    """
    fields = {**metadata.fields(), **columns, "updated": now}
    if secret is not None:
        fields["client_secret"] = hash_secret(secret)
    looks_different: bool = client.name != metadata.name or client.redirect_uris != fields["redirect_uris"]
    if looks_different:
        for name in ("name", "redirect_uris"):
            setattr(client, name, fields[name])
        fields |= {"vouched_for": False, "app": App.of(client.identity)}
    if not Client.objects.filter(pk=client.pk).update(**fields):
        raise Client.DoesNotExist
    for name, value in fields.items():
        setattr(client, name, value)
    if looks_different:
        Consent.objects.filter(client=client).delete()
        PendingAuthorization.objects.filter(client=client).delete()
    return looks_different


def disable(client: Client, now: datetime) -> None:
    """Nobody can use the client from now on, until an operator enables it."""
    Client.objects.filter(pk=client.pk, disabled_at=None).update(disabled_at=now)
