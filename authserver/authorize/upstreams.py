"""Which providers a request needs: to sign the person in, and behind the resource."""

from __future__ import annotations

from collections.abc import Collection, Sequence

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


def optional(asked: AuthorizationRequest) -> tuple[str, ...]:
    """The names of the upstreams that the person may leave out. One that is switched off is left out without asking."""
    return tuple(entry.provider.name for entry in asked.upstreams if not entry.required and entry.provider.enabled)


class Connections:
    """A person's credentials, read once, held against what a request needs."""

    def __init__(self, user: User) -> None:
        self._credentials: Sequence[CredentialState] = vault().credentials.of_user(user.pk)

    def of(self, provider: Provider) -> CredentialState | None:
        """The newest, a live one before a dead one."""
        own = [credential for credential in self._credentials if credential.provider == provider.name]
        return next((credential for credential in own if credential.live), own[0] if own else None)

    def why(self, entry: ResourceUpstream) -> str:
        """What stands between the person and this upstream: "connect", "renew", "widen", or "" for nothing."""
        credential = self.of(entry.provider)
        if credential is None:
            return "connect"
        if not credential.live:
            return "renew"
        return "widen" if self.lacking(entry) else ""

    def lacking(self, entry: ResourceUpstream) -> tuple[str, ...]:
        """The scopes that the resource needs there and the provider has not granted, in the configuration's order."""
        credential = self.of(entry.provider)
        granted = credential.scopes if credential is not None and credential.live else ()
        return tuple(scope for scope in entry.scopes if scope not in granted)

    def missing(self, asked: AuthorizationRequest, skipped: Collection[str] = ()) -> list[ResourceUpstream]:
        """The upstreams that need a visit, required ones first, then in the resource's order.

        Optional ones only as far as they are offered and not `skipped`.
        """
        wanted = set(optional(asked)) - set(skipped)
        needed = [entry for entry in asked.upstreams if entry.required or entry.provider.name in wanted]
        return sorted((entry for entry in needed if self.why(entry)), key=lambda entry: not entry.required)

    def approved(self, asked: AuthorizationRequest, skipped: Collection[str] = ()) -> tuple[Approved, ...]:
        """What the new session may use: each upstream that is connected with all it needs, and was not left out."""
        found = ((entry, self.of(entry.provider)) for entry in asked.upstreams
                 if entry.provider.name not in skipped and not self.why(entry))  # fmt: skip
        return tuple(
            Approved(credential.id, entry.provider.name, scopes_of(entry.provider, entry))
            for entry, credential in found
            if credential is not None
        )
