"""A provider's "Test connection": its documents, keys, endpoints and clock, looked at now, as the doctor does it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.admin_base import ConsoleAdmin, row_for
from authserver.console.doctor import look_alone
from authserver.doctor import upstreams
from authserver.doctor.calls import Calls

SECONDS = 15
"""Five GETs of three seconds each."""


def show(model_admin: ConsoleAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """GET offers it, POST looks. One that is switched off too: that is how it is tried before anybody meets it."""
    provider = row_for(model_admin, request, object_id, allowed=model_admin.has_view_permission(request))
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "title": _("Test the connection to %(provider)s") % {"provider": provider.title},
        "opts": model_admin.opts,
        "object": provider,
    }
    if request.method == "POST":
        context |= look_alone(
            f"test-connection:{provider.pk}",
            lambda: list(upstreams.look_at([provider], Calls(SECONDS), timezone.now())),
            seconds=SECONDS,
        )
    response = TemplateResponse(request, "admin/test_connection.html", context)
    response["Cache-Control"] = "no-store"
    return response
