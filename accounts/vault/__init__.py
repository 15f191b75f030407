"""The vault: token sessions and sealed upstream credentials. The only package that can decrypt."""

from __future__ import annotations

from functools import cache
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from accounts.vault.base import TokenVault


@cache
def vault() -> TokenVault:
    """The configured backend, one a process."""
    return cast(TokenVault, import_string(settings.VAULT_BACKEND)())
