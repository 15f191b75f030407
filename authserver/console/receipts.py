"""A receipt in the console: each step of an ending with its result and time, and what a provider is still to be told."""

from __future__ import annotations

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
    context: dict[str, Any] = {**admin.site.each_context(request), "title": _("Receipt"), "receipt": kept}
    return TemplateResponse(request, "admin/receipt.html", context)
