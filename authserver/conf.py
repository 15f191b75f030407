"""The frozen, typed view of our settings: `authserver.conf.load()`.

`settings.AUTHSERVER` is a dict whose keys are exactly the fields of `Conf`; a misspelt key cannot start.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True)
class Conf:
    """`issuer` has no trailing slash. The `*_backend` fields are dotted paths of the three seams."""

    issuer: str
    demo: bool
    trusted_proxies: int
    signing_backend: str
    signing_key_file: str | None
    signing_kms_keys: tuple[str, ...] = ()
    signing_algorithm: str = "ES256"
    proxy_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    authorization_response_iss: bool = True
    private_use_schemes: tuple[str, ...] = ("cursor", "vscode", "vscode-insiders", "claude")

    @property
    def secure(self) -> bool:
        """Whether people reach us over TLS; only a loopback issuer is allowed not to."""
        return self.issuer.startswith("https://")

    @property
    def path(self) -> str:
        """The issuer's path without slashes at its ends: `""` or `"tenant1"`."""
        return urlsplit(self.issuer).path.strip("/")

    @property
    def origin(self) -> str:
        """The issuer without its path: what `reverse` leaves out."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"

    def url(self, path: str) -> str:
        """`path` (with its leading slash) under the issuer."""
        return self.issuer + path


@cache
def load() -> Conf:
    given: dict[str, Any] = settings.AUTHSERVER
    unknown = set(given) - {field.name for field in fields(Conf)}
    if unknown:
        raise ImproperlyConfigured(f"AUTHSERVER has unknown keys: {', '.join(sorted(unknown))}")
    return Conf(**given)
