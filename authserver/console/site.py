"""The operators' console: Django's admin under our name."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
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
        from authserver.console import (  # they need the site
            confirming,
            doctor,
            link_view,
            receipts,
            second_step,
            trace,
            upstream_entry,
        )

        ours = [
            path("receipts/<uuid:receipt>/", self.admin_view(receipts.show), name="receipt"),
            path("confirm/", self.admin_view(confirming.confirm_view), name="confirm"),
            path("confirm/back/", self.admin_view(upstream_entry.proof_back), name="confirm-back"),
            path("trace/", self.admin_view(trace.show), name="trace"),
            path("doctor/", self.admin_view(doctor.show), name="doctor"),
            path("link/<str:token>/", link_view.link_view, name="link"),
            path("upstream-sign-in/", upstream_entry.begin, name="upstream-sign-in"),
            path("upstream-sign-in/back/", upstream_entry.back, name="upstream-back"),
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

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Where no password of theirs is taken, they have none to change."""
        from authserver.console import upstream_door  # as above

        if not upstream_door.takes_password_of(cast(Any, request.user)):
            raise PermissionDenied
        return super().password_change(request, extra_context)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        from authserver.console import upstream_door  # as above

        takes_password = request.user.is_authenticated and upstream_door.takes_password_of(cast(Any, request.user))
        return {**super().each_context(request), "takes_password": takes_password}

    def address_of(self, request: HttpRequest) -> str | None:
        """Where an operator's request comes from, for the audit trail."""
        return client_address(request)
