"""The configuration file's sections about the whole server, shown."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import ReadOnlyAdmin
from authserver.models import Policy


@admin.register(Policy)
class PolicyAdmin(ReadOnlyAdmin):
    """What differs from the defaults. `manage.py apply_config` changes it."""

    fields = ("lifetimes", "registration", "revocation", "sessions", "retention", "console")
    list_display = ("__str__", *fields)
