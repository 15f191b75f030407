"""A receipt in the console: each step of an ending with its result and time, and what a provider is still to be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from authserver import receipts


def receipt_url(receipt: UUID) -> str:
    return reverse("admin:receipt", args=[receipt])


def show(request: HttpRequest, receipt: UUID) -> HttpResponse:
    """Whoever may read the audit trail may read it: it is made of nothing else."""
    if not request.user.has_perm("accounts.view_auditevent"):
        raise PermissionDenied
    kept = receipts.find(receipt)
    if kept is None:
        raise Http404
    steps = [(step, words(step.detail)) for step in kept.steps]
    context: dict[str, Any] = {
        **admin.site.each_context(request), "title": _("Receipt"), "receipt": kept, "steps": steps,
    }  # fmt: skip
    return TemplateResponse(request, "admin/receipt.html", context)


def words(detail: Mapping[str, Any]) -> str:
    """What a step's row says besides, without what it says nothing of: `refresh tokens: 3; destroyed: github 1`."""
    said = ((name.replace("_", " "), _said(value)) for name, value in detail.items())
    return "; ".join(f"{name}: {value}" for name, value in said if value)


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")
