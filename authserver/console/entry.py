"""The first step into the console: a name and a password, within limits, with the same words whatever was wrong."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from authserver.console import attempts, threshold


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
    context = {
        **site_context,
        "title": _("Log in"),
        "subtitle": None,
        "app_path": request.get_full_path(),
        "username": request.user.get_username(),
    }
    if "next" not in request.GET and "next" not in request.POST:
        context["next"] = reverse("admin:index")
    response = SignIn.as_view(extra_context=context)(request)
    return attempts.answered(request, cast(HttpResponse, response))
