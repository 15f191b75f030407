"""The page for a failure of ours, with the request's id on it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.template import loader


def server_error(request: HttpRequest) -> HttpResponse:
    """`500.html` without context processors: one of them may be what failed."""
    page = loader.get_template("500.html").render({"request_id": getattr(request, "id", "")})
    return HttpResponseServerError(page, headers={"Cache-Control": "no-store"})
