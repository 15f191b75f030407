"""The doctor in the console: the same list as `manage.py doctor`, made anew at each press of its button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from authserver import shared_cache
from authserver.doctor.calls import WHOLE_SECONDS
from authserver.doctor.examination import examine
from authserver.doctor.findings import WORST_FIRST, Finding, worst

PERMISSION = "accounts.view_auditevent"
"""It calls servers and reads states, and changes nothing: for whoever may read the trail."""
_UNDER_WAY = "doctor:under-way"


def show(request: HttpRequest) -> HttpResponse:
    """The button; after a POST the findings too, the worst first."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    context: dict[str, Any] = {**admin.site.each_context(request), "title": _("Doctor")}
    if request.method == "POST":
        context |= look_alone(_UNDER_WAY, _worst_first, seconds=WHOLE_SECONDS)
    response = TemplateResponse(request, "admin/doctor.html", context)
    response["Cache-Control"] = "no-store"
    return response


def look_alone(under_way: str, look: Callable[[], list[Finding]], *, seconds: float) -> dict[str, Any]:
    """What `admin/_findings.html` shows, or `is_busy` while somebody else has it look: each look holds a thread."""
    if not shared_cache.claim(under_way, seconds=seconds):
        return {"is_busy": True}
    try:
        found = look()
    finally:
        shared_cache.let_go(under_way)
    return {"findings": found, "status": worst(found)}


def _worst_first() -> list[Finding]:
    return sorted(examine(), key=lambda finding: WORST_FIRST.index(finding.level))
