"""The operators' console: Django's admin under our name."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from authserver.addresses import client_address


class ConsoleSite(admin.AdminSite):
    site_header = "Authserver"
    site_title = "Authserver"
    index_title = _("Console")
    enable_nav_sidebar = True
    index_template = "admin/home.html"

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        from authserver.console import home  # it needs the models

        return super().index(request, {**home.context(request), **(extra_context or {})})

    def get_urls(self) -> list[Any]:
        """Without "view on site": no row has a page beside the console's, and for DOT's models Django answers 500."""
        from authserver.console import confirming, doctor, link_view, receipts, second_step, trace  # they need the site

        ours = [
            path("receipts/<uuid:receipt>/", self.admin_view(receipts.show), name="receipt"),
            path("confirm/", self.admin_view(confirming.confirm_view), name="confirm"),
            path("trace/", self.admin_view(trace.show), name="trace"),
            path("doctor/", self.admin_view(doctor.show), name="doctor"),
            path("link/<str:token>/", link_view.link_view, name="link"),
            path("second-step/", second_step.code_view, name="second-step"),
            path("authenticator/", second_step.authenticator_view, name="authenticator"),
        ]
        return [*ours, *(pattern for pattern in super().get_urls() if getattr(pattern, "name", None) != "view_on_site")]

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff, with the second factor where it is asked of them."""
        from authserver.console import threshold  # it needs the models, which come after the site

        return super().has_permission(request) and threshold.crossed(request)

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        from authserver.console import entry  # as above

        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        return entry.sign_in(request, self.each_context(request) | (extra_context or {}))

    def address_of(self, request: HttpRequest) -> str | None:
        """Where an operator's request comes from, for the audit trail."""
        return client_address(request)
