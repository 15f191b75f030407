"""What people approved, and approvals on their way."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import ReadOnlyAdmin
from authserver.models import Consent, PendingAuthorization, PendingConnection


@admin.register(Consent)
class ConsentAdmin(ReadOnlyAdmin):
    list_display = ("id", "user", "client", "redirect_host", "resource", "scope", "granted_at")
    fields = (*list_display, "upstream_scopes")
    searched = ("user__id", "user__username", "user__email", "client__client_id")
    list_select_related = ("user", "client", "resource")
    ordering = ("-id",)


@admin.register(PendingAuthorization)
class PendingAuthorizationAdmin(ReadOnlyAdmin):
    """Without `parameters`: they hold the client's `state`, which is between the client and the browser."""

    list_display = ("id", "client", "resource", "user_id", "approved_at", "expires_at", "finished_at")
    fields = list_display
    searched = ("id",)
    list_select_related = ("client", "resource")
    ordering = ("-expires_at",)


@admin.register(PendingConnection)
class PendingConnectionAdmin(ReadOnlyAdmin):
    """Links to connect an upstream that somebody followed."""

    list_display = ("id", "tsid", "user_id", "provider", "created_at", "expires_at", "finished_at")
    fields = (*list_display, "scopes")
    searched = ("id",)
    ordering = ("-expires_at",)
