"""Client assertions that were used, until their end: nothing here can be used again."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import ReadOnlyAdmin
from authserver.models import UsedAssertion


@admin.register(UsedAssertion)
class UsedAssertionAdmin(ReadOnlyAdmin):
    list_display = ("digest", "expires_at")
    fields = list_display
    ordering = ("-expires_at",)
