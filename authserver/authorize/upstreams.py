"""Which providers a request needs: to sign the person in, and behind the resource."""

from __future__ import annotations

from collections.abc import Sequence

from accounts.models import User
from accounts.vault import vault
from accounts.vault.base import Approved, CredentialState
from authserver.authorize.request import AuthorizationRequest
from authserver.models import ResourceUpstream
from upstream import providers
from upstream.models import Provider


def scopes_of(provider: Provider, entry: ResourceUpstream | None) -> tuple[str, ...]:
    """What one visit asks for: the provider's own scopes and those the resource needs, each once, in order."""
    return providers.scopes_of(provider, entry.scopes if entry else ())


def entry_for(asked: AuthorizationRequest, provider: Provider) -> ResourceUpstream | None:
    """The resource's entry for this provider."""
    return next((entry for entry in asked.upstreams if entry.provider_id == provider.pk), None)


def sign_in_choices(asked: AuthorizationRequest) -> list[Provider]:
    """Providers that may sign somebody in, those behind the resource first: they save a second visit."""
    behind = {entry.provider_id for entry in asked.upstreams}
    return sorted(providers.sign_in_providers(), key=lambda provider: (provider.pk not in behind, provider.name))


class Connections:
    """A person's credentials, read once, held against what a request needs."""

    def __init__(self, user: User) -> None:
        self._credentials: Sequence[CredentialState] = vault().credentials.of_user(user.pk)

    def of(self, provider: Provider) -> CredentialState | None:
        """The newest, a live one before a dead one."""
        own = [credential for credential in self._credentials if credential.provider == provider.name]
        return next((credential for credential in own if credential.live), own[0] if own else None)

    def why(self, entry: ResourceUpstream) -> str:
        """What stands between the person and this upstream: "connect", "renew", or "" for nothing."""
        credential = self.of(entry.provider)
        if credential is None:
            return "connect"
        if not credential.live or not set(entry.scopes) <= set(credential.scopes):
            return "renew"
        return ""

    def missing(self, asked: AuthorizationRequest) -> list[ResourceUpstream]:
        """The required upstreams that need a visit, in the resource's order."""
        return [entry for entry in asked.upstreams if entry.required and self.why(entry)]

    def approved(self, asked: AuthorizationRequest) -> tuple[Approved, ...]:
        """What the new session may use: each upstream of the resource that is connected."""
        found = ((entry, self.of(entry.provider)) for entry in asked.upstreams)
        return tuple(
            Approved(credential.id, entry.provider.name, scopes_of(entry.provider, entry))
            for entry, credential in found
            if credential is not None
        )
