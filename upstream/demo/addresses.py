"""Where the demo provider is."""

from __future__ import annotations

from django.conf import settings


def issuer() -> str:
    """Our issuer identifier, and the prefix of every endpoint: no trailing slash."""
    return f"{settings.ISSUER}/demo/idp"
