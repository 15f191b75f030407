"""social-auth's strategy over our provider rows."""

from __future__ import annotations

from social_django.strategy import DjangoStrategy


class ProviderStrategy(DjangoStrategy):
    """Provider rows instead of settings."""
