"""Operators' authenticators and recovery codes, shown; and the button for the day a phone is lost."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from accounts.admin_base import ReadOnlyAdmin
from authserver import second_factor
from authserver.console import threshold
from authserver.models import Authenticator, RecoveryCode


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """No key, sealed or not. A superuser may delete one, with its recovery codes: the next sign-in enrols another."""

    list_display = ("user", "confirmed", "created_at", "last_used_at")
    fields = (*list_display, "throttling_failure_count")
    searched = ("user__id", "user__username", "user__email")
    list_select_related = ("user",)
    ordering = ("-id",)

    def has_delete_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        return bool(request.user.is_superuser)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Whoever has the password then enrols a phone of their own."""
        if self.has_delete_permission(request) and (asked := threshold.ask_again(request)):
            return asked
        return super().delete_view(request, object_id, extra_context)

    def delete_model(self, request: HttpRequest, obj: Authenticator) -> None:
        second_factor.remove(obj.user)


@admin.register(RecoveryCode)
class RecoveryCodeAdmin(ReadOnlyAdmin):
    """Which are used. Their hashes are shown nowhere."""

    list_display = ("id", "user", "created_at", "used_at")
    fields = list_display
    searched = ("user__id", "user__username", "user__email")
    list_select_related = ("user",)
    ordering = ("-id",)
