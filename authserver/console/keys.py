"""Signing keys: their public halves and their turns."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import ReadOnlyAdmin
from authserver.models import SigningKey


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    list_display = ("kid", "algorithm", "phase", "created_at", "activated_at", "retired_at")
    fields = (*list_display, "public_jwk")
    ordering = ("-created_at",)
