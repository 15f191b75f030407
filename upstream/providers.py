"""The registry of providers: rows, where each sends people back to, and our secret at each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from accounts.vault.secrets import open_secret, seal_secret
from upstream import presets
from upstream.models import Provider

CALLBACK_PATH = "/oauth/callback"
SECRET_COLUMNS = ("client_secret_sealed", "client_secret_source", "client_secret_set_at")
"""What `set_client_secret` sets."""


def enabled() -> list[Provider]:
    """All providers in use, by name."""
    return list(Provider.objects.filter(enabled=True))


def sign_in_providers() -> list[Provider]:
    """Those that people may sign in with, by name."""
    return list(Provider.objects.filter(enabled=True, sign_in=True))


def by_name(name: str) -> Provider | None:
    """The provider of this name if it is enabled."""
    return Provider.objects.filter(name=name, enabled=True).first()


def callback_url(provider: Provider) -> str:
    """Our redirect URI at this provider: one of its own, so that no provider's answer passes for another's (RFC 9700 s4.4).

    A registration that holds only the shared address says so with `authorization_params: {redirect_uri: ...}`; nothing
    but that address is taken from there.
    """
    shared = f"{settings.ISSUER}{CALLBACK_PATH}"
    if provider.authorization_params.get("redirect_uri") == shared:
        return shared
    return f"{shared}/{provider.name}"


def set_client_secret(provider: Provider, value: str, source: str, *, now: datetime | None = None) -> None:
    """Seal our secret at this provider into the row, unsaved; `source` says where it came from (`env:GITHUB_SECRET`)."""
    provider.client_secret_sealed = seal_secret(value, secret_context(provider.name)) if value else ""
    provider.client_secret_source = source
    provider.client_secret_set_at = (now or timezone.now()) if value else None


def client_secret(provider: Provider) -> str:
    """Our secret at this provider; empty for a public client. Raises `accounts.vault.base.Damaged`."""
    if not provider.client_secret_sealed:
        return ""
    return open_secret(provider.client_secret_sealed, secret_context(provider.name))


def same_client_secret(provider: Provider, value: str) -> bool:
    """Whether the row holds this secret already, so that applying a configuration twice changes nothing."""
    return bool(provider.client_secret_sealed) and client_secret(provider) == value


def scopes_of(provider: Provider, *beside: Sequence[str]) -> tuple[str, ...]:
    """What a visit asks for: what its type cannot do without, the row's own (else the type's usual), and `beside`."""
    preset = presets.of(provider)
    return unique(preset.required_scopes, provider.scopes or preset.default_scopes, *beside)


def unique(*groups: Sequence[str]) -> tuple[str, ...]:
    """The scopes of all groups in order, each once."""
    return tuple(dict.fromkeys(scope for group in groups for scope in group))


def secret_context(name: str) -> str:
    """What our secret at the provider of this name is sealed for."""
    return f"provider:{name}:client_secret"
