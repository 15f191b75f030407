"""Resource servers: the registered callers that may read the vault, each for its own resources."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F

from authserver.client_authentication import Presented, secret_matches
from authserver.errors import invalid_client
from authserver.models import Resource, ResourceServer, ResourceUpstream
from upstream.models import Provider


@dataclass(frozen=True)
class Standing:
    """An authenticated caller and what it may reach: `resource` is None where the audience is not one of its own."""

    client_id: str
    resource: Resource | None
    upstreams: tuple[ResourceUpstream, ...]

    def provider(self, name: str) -> Provider | None:
        """The resource's upstream of this name."""
        return next((entry.provider for entry in self.upstreams if entry.provider.name == name), None)


def authenticate(given: Presented, audience: str) -> Standing:
    """Check the caller's secret and read its resource with the upstreams, in one statement on the good path.

    A resource server always has a secret; a public or self-registered client is never one. Raises invalid_client.
    """
    if given.method == "none":
        raise invalid_client("a resource server authenticates with its secret", tried_basic=False)
    rows = list(
        ResourceUpstream.objects.filter(
            resource__identifier=audience, resource__resource_servers__client_id__in=given.client_ids
        )
        .annotate(
            caller_id=F("resource__resource_servers__client_id"),
            caller_secret=F("resource__resource_servers__client_secret"),
            caller_enabled=F("resource__resource_servers__enabled"),
        )
        .select_related("resource", "provider")
        .order_by("position", "id")
    )
    if rows:
        callers = {(row.caller_id, row.caller_secret, row.caller_enabled) for row in rows}
    else:
        callers = set(
            ResourceServer.objects.filter(client_id__in=given.client_ids).values_list(
                "client_id", "client_secret", "enabled"
            )
        )
    for client_id, secret, enabled in callers:
        if enabled and secret_matches(given.secrets_for(client_id), secret):
            upstreams = tuple(row for row in rows if row.caller_id == client_id)
            resource = upstreams[0].resource if upstreams else _own(client_id, audience)
            return Standing(client_id, resource, upstreams)
    raise invalid_client("unknown, disabled, or wrong secret", tried_basic=given.tried_basic)


def _own(client_id: str, audience: str) -> Resource | None:
    """A resource without upstreams does not show in the joined read."""
    return Resource.objects.filter(identifier=audience, resource_servers__client_id=client_id).first()
