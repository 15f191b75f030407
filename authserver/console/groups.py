"""Groups of operators: the three roles, and what somebody made beside them."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from accounts.admin_base import ConsoleAdmin
from authserver.console.shown_once import AskedAgainMixin

admin.site.unregister(Group)


@admin.register(Group)
class OperatorGroupAdmin(AskedAgainMixin, ConsoleAdmin, GroupAdmin):
    """Who may do what is a superuser's to decide: whoever changes a group of their own changes what they may do."""

    searched = ("name",)
    list_filter = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return bool(request.user.is_superuser)
