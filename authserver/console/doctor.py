"""The doctor in the console: the same list as `manage.py doctor`, made anew at each press of its button."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from authserver import shared_cache
from authserver.doctor.calls import WHOLE_SECONDS
from authserver.doctor.examination import examine
from authserver.doctor.findings import Level, worst

PERMISSION = "accounts.view_auditevent"
"""It calls servers and reads states, and changes nothing: for whoever may read the trail."""
_UNDER_WAY = "doctor:under-way"
_ORDER = (Level.FAILED, Level.WARNING, Level.OK)


def show(request: HttpRequest) -> HttpResponse:
    """The button; after a POST the findings too, the worst first. One examination at a time: each holds a thread."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    context: dict[str, Any] = {**admin.site.each_context(request), "title": _("Doctor")}
    if request.method == "POST":
        if shared_cache.claim(_UNDER_WAY, seconds=WHOLE_SECONDS):
            try:
                found = examine()
            finally:
                shared_cache.let_go(_UNDER_WAY)
            context["findings"] = sorted(found, key=lambda finding: _ORDER.index(finding.level))
            context["status"] = worst(found)
        else:
            context["is_busy"] = True
    response = TemplateResponse(request, "admin/doctor.html", context)
    response["Cache-Control"] = "no-store"
    return response
