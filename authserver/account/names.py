"""What people read instead of ids: one statement a kind, however many there are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.utils.translation import gettext as _

from authserver.models import Client, Resource
from upstream.models import Provider

MAX_NAME = 60
BIDI_CONTROLS = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


@dataclass(frozen=True)
class Names:
    """Clients, resources and providers by what sessions and the audit trail call them. Any of them may be gone."""

    clients: dict[str, Client]
    resources: dict[str, Resource]
    providers: dict[str, Provider]

    def app(self, client_id: str) -> str:
        """A name that nobody checked is quoted."""
        client = self.clients.get(client_id)
        if client is None or not client.name:
            return _("an app without a name")
        name = _cut(client.name)
        return name if client.name_is_checked else _("“%(words)s”") % {"words": name}

    def resource(self, identifier: str) -> str:
        known = self.resources.get(identifier)
        return _cut(known.name if known else identifier)

    def provider(self, name: str) -> str:
        known = self.providers.get(name)
        return known.title if known else name


def names_of(clients: Collection[str], resources: Collection[str], providers: Collection[str]) -> Names:
    """Three statements."""
    known = Client.objects.filter(client_id__in=set(clients)).select_related("app")
    return Names(
        {client.client_id: client for client in known},
        {resource.identifier: resource for resource in Resource.objects.filter(identifier__in=set(resources))},
        {provider.name: provider for provider in Provider.objects.filter(name__in=set(providers))},
    )


def _cut(name: str) -> str:
    """In isolates (UAX 9), so that a name of another direction does not turn the sentence around, nor one that tries to."""
    name = name.translate(BIDI_CONTROLS)
    short = name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"
    return f"\u2068{short}\u2069"
