"""Resource servers: the registered callers that may read the vault, each for its own resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import BooleanField, F, Subquery

from accounts.prepared import Prepared, slot
from authserver.access_tokens import jti_checksum, was_ended
from authserver.claims import AccessClaims
from authserver.client_authentication import Presented, secret_matches
from authserver.errors import invalid_client
from authserver.models import Resource, ResourceServer, ResourceUpstream
from upstream.models import Provider


@dataclass(frozen=True)
class Standing:
    """An authenticated caller and what it may reach: `resource` is None where the audience is not one of its own.

    `token_was_ended` is for `access_tokens.check`; read with the upstreams, and None without them.
    """

    client_id: str
    resource: Resource | None
    upstreams: tuple[ResourceUpstream, ...]
    token_was_ended: bool | None = None

    def provider(self, name: str) -> Provider | None:
        """The resource's upstream of this name."""
        return next((entry.provider for entry in self.upstreams if entry.provider.name == name), None)


_UPSTREAMS: Prepared[Any] = Prepared(
    lambda: (
        ResourceUpstream.objects.filter(
            resource__identifier=slot("audience"),
            resource__resource_servers__client_id__in=[slot("caller"), slot("or_caller")],
        )
        .annotate(
            caller_id=F("resource__resource_servers__client_id"),
            caller_secret=F("resource__resource_servers__client_secret"),
            caller_enabled=F("resource__resource_servers__enabled"),
            was_ended=Subquery(was_ended()[:1], output_field=BooleanField()),
        )
        .select_related("resource", "provider")
        .order_by("position", "id")
    )
)
"""The audience's upstreams, once for each of the (one or two) callers that the credentials may name."""


def authenticate(given: Presented, claims: AccessClaims | None) -> Standing:
    """Check the caller's secret and read the resource of these claims with its upstreams, and what the database knows of
    their token, in one statement on the good path. `claims` is None where no token verified.

    A resource server always has a secret; a public or self-registered client is never one. Raises invalid_client.
    """
    if given.method == "none":
        raise invalid_client("a resource server authenticates with its secret", tried_basic=False)
    audience = claims.audience if claims else ""
    rows = _UPSTREAMS.all(
        audience=audience,
        caller=given.client_ids[0],
        or_caller=given.client_ids[-1],
        client_id=claims.client_id if claims else "",
        checksum=jti_checksum(claims.jti) if claims else "",
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
            own = tuple(row for row in rows if row.caller_id == client_id)
            if not own:
                return Standing(client_id, _own(client_id, audience), ())
            return Standing(client_id, own[0].resource, own, own[0].was_ended)
    raise invalid_client("unknown, disabled, or wrong secret", tried_basic=given.tried_basic)


def _own(client_id: str, audience: str) -> Resource | None:
    """A resource without upstreams does not show in the joined read."""
    return Resource.objects.filter(identifier=audience, resource_servers__client_id=client_id).first()
