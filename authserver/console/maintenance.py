"""When maintenance ran last, shown."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import ReadOnlyAdmin
from authserver.models import MaintenanceRun


@admin.register(MaintenanceRun)
class MaintenanceRunAdmin(ReadOnlyAdmin):
    """One row, of whatever host."""

    list_display = ("__str__", "failed_steps")
    fields = ("at", "failed_steps")
