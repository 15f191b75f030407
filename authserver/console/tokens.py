"""Codes and tokens in the console: read-only, and never a value or hash that could be used."""

from __future__ import annotations

from authserver.console.readonly import ReadOnlyAdmin


class GrantAdmin(ReadOnlyAdmin):
    list_display = ("id", "application", "user", "tsid", "created", "expires", "claimed_at")
    fields = (*list_display, "redirect_uri", "scope", "resource", "failed_attempts")
    list_select_related = ("application", "user")
    ordering = ("-id",)


class AccessTokenAdmin(ReadOnlyAdmin):
    list_display = ("id", "application", "user", "tsid", "created", "expires")
    fields = list_display
    list_select_related = ("application", "user")
    ordering = ("-id",)


class RefreshTokenAdmin(ReadOnlyAdmin):
    list_display = ("id", "application", "user", "tsid", "generation", "updated", "idle_expires_at", "expires_at", "revoked")
    fields = (*list_display, "scope", "resource", "created")
    search_fields = ("tsid",)
    list_select_related = ("application", "user")
    ordering = ("-id",)


class IDTokenAdmin(ReadOnlyAdmin):
    list_display = ("id", "application", "user", "created", "expires")
    fields = list_display
    list_select_related = ("application", "user")
    ordering = ("-id",)
