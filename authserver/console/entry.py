"""The first step into the console: a name and a password, within limits, with the same words whatever was wrong.

Where the console takes no password the page has no such form, and nobody looks at what is posted to it. Beside it, or in
its place, stands the button of the upstream that leads in (`upstream_entry`).
"""

from __future__ import annotations

from typing import Any, cast

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from authserver.console import attempts, threshold, upstream_door


class SignInForm(AdminAuthenticationForm):
    """Counts before it looks: a right password beyond the limit is not said to be right."""

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        username = self.cleaned_data.get("username")
        request = cast(HttpRequest, self.request)
        attempts.count(request, username)
        try:
            return super().clean()
        except ValidationError:
            attempts.refused(request, username or "", reason="password")
            raise

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        if not upstream_door.takes_password_of(user):
            raise self.get_invalid_login_error()


class SignIn(LoginView):
    template_name = "admin/login.html"
    authentication_form = SignInForm

    def get_default_redirect_url(self) -> str:
        return reverse("admin:index")

    def form_valid(self, form: Any) -> HttpResponse:
        user = cast(User, form.get_user())
        return threshold.first_step_done(self.request, user, self.get_success_url(), by="password")


def sign_in(request: HttpRequest, site_context: dict[str, Any]) -> HttpResponse:
    """The page, and its POST."""
    if not upstream_door.takes_passwords():
        if request.method == "POST":
            return refused(request, site_context, _("Nobody comes in here with a password."))
        return _page(request, site_context)
    context = _context(request, site_context)
    response = SignIn.as_view(extra_context=context)(request)
    return attempts.answered(request, cast(HttpResponse, response))


def refused(request: HttpRequest, site_context: dict[str, Any], words: str, status: int = 403) -> HttpResponse:
    """The page again, with what stands against coming in."""
    return _page(request, {**site_context, "refusal": words}, status)


def _page(request: HttpRequest, site_context: dict[str, Any], status: int = 200) -> HttpResponse:
    context = _context(request, site_context)
    if upstream_door.takes_passwords():
        context["form"] = SignInForm(request)
    return attempts.answered(request, TemplateResponse(request, "admin/login.html", context, status=status))


def _context(request: HttpRequest, site_context: dict[str, Any]) -> dict[str, Any]:
    provider = upstream_door.provider()
    return {
        **site_context,
        "title": _("Log in"),
        "subtitle": None,
        "app_path": reverse("admin:login"),
        "username": request.user.get_username(),
        "takes_passwords": upstream_door.takes_passwords(),
        "upstream_title": provider.title if provider else "",
        "next": threshold.next_within(request, request.POST.get("next") or request.GET.get("next") or ""),
    }
