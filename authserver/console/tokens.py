"""Codes and tokens in the console: read-only, and never a value or hash that could be used."""

from __future__ import annotations

from accounts.admin_base import ReadOnlyAdmin


class GrantAdmin(ReadOnlyAdmin):
    list_display = ("id", "application", "user", "tsid", "created", "expires", "claimed_at")
    fields = (*list_display, "redirect_uri", "scope", "resource", "failed_attempts")
    searched = ("tsid",)
    list_select_related = ("application", "user")
    ordering = ("-id",)


class AccessTokenAdmin(ReadOnlyAdmin):
    list_display = ("id", "application", "user", "tsid", "created", "expires")
    fields = list_display
    searched = ("tsid",)
    list_select_related = ("application", "user")
    ordering = ("-id",)


class RefreshTokenAdmin(ReadOnlyAdmin):
    """One lineage a row. `handle` is half of what a token is made of, and not shown either."""

    list_display = ("id", "application", "user", "tsid", "generation", "updated", "expires_at", "revoked")
    fields = (*list_display, "idle_expires_at", "scope", "resource", "created")
    searched = ("tsid",)
    list_select_related = ("application", "user")
    ordering = ("-id",)
