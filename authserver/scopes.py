"""Scopes are a resource's; django-oauth-toolkit's backend setting points here so that nothing falls back to its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _
from oauth2_provider.scopes import BaseScopes

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MAX_SCOPES = 50  # of one request
SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,128}")  # RFC 6749 section 3.3

IDENTITY_SCOPES: dict[str, StrOrPromise] = {
    "openid": _("know who you are"),
    "profile": _("see your name"),
    "email": _("see your e-mail address"),
    "offline_access": _("stay connected while you are away"),
}


class ResourceScopes(BaseScopes):
    """Only what does not depend on the resource; the validator checks a request's scopes against its resource."""

    def get_all_scopes(self) -> dict[str, str]:
        return {scope: str(words) for scope, words in IDENTITY_SCOPES.items()}

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        return list(IDENTITY_SCOPES)

    def get_default_scopes(self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any) -> list[str]:
        return []
