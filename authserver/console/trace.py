"""Connection trace in the console: what became of somebody's attempts, found by what an operator knows of them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.admin_base import ReadOnlyAdmin
from authserver.models import Refusal
from authserver.trace import search
from authserver.trace.verdict import moments, verdict

PERMISSION = "accounts.view_auditevent"


def show(request: HttpRequest) -> HttpResponse:
    """`q` is a client id, an app, a person or an address; the newest attempts first."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    now, asked = timezone.now(), request.GET.get("q", "").strip()[: search.MAX_SEARCH]
    found = [
        {"attempt": attempt, "verdict": verdict(attempt, now), "moments": moments(attempt)}
        for attempt in search.find(asked)
    ]
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Connection trace"),
        "asked": asked,
        "found": found,
    }
    response = TemplateResponse(request, "admin/trace.html", context)
    response["Cache-Control"] = "no-store"
    return response


@admin.register(Refusal)
class RefusalAdmin(ReadOnlyAdmin):
    """What the trace is made of besides the rows that attempts leave anyway."""

    list_display = ("at", "step", "error", "reason", "client_id", "address")
    fields = (*list_display, "request_id")
    searched = ("client_id", "address")
    ordering = ("-id",)
