"""Where Django looks for the console's pages: `authserver.console` has them, one module a subject.

Clients, codes and tokens are not here: django-oauth-toolkit registers those, with the classes that the settings name.
ID tokens are not shown: none is stored.
"""

from __future__ import annotations

from django.contrib import admin

from authserver.console import (  # noqa: F401  # they register themselves
    app_registry,
    assertions,
    audit,
    consents,
    groups,
    initial_tokens,
    keys,
    maintenance,
    people,
    policy,
    resources,
    second_factors,
    trace,
    vault_keys,
)
from authserver.console.providers import admin as providers  # noqa: F401  # the same
from authserver.console.sessions import listing  # noqa: F401  # as above
from authserver.models import IDToken

admin.site.unregister(IDToken)
