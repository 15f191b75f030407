"""Clients in the console."""

from __future__ import annotations

from accounts.admin_base import ReadOnlyAdmin


class ClientAdmin(ReadOnlyAdmin):
    list_display = ("name", "client_id", "registration_source", "token_endpoint_auth_method", "created", "disabled_at")
    exclude = ("client_secret", "registration_token_hash", "hash_client_secret", "algorithm", "skip_authorization")
    search_fields = ("name", "client_id")
    list_filter = ("registration_source", "disabled_at")
    ordering = ("-id",)
