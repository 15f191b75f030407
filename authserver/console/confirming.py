"""The page that asks an operator who is in once more who they are: see `threshold.ask_again`."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import audit
from accounts.models import User
from authserver import second_factor
from authserver.addresses import client_address
from authserver.console import attempts, threshold
from authserver.console.second_step import CodeForm, wrong_code

MAX_PASSWORD = 4096


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=MAX_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


@never_cache
@sensitive_post_parameters()
def confirm_view(request: HttpRequest) -> HttpResponse:
    """For who is in: a code where they have an authenticator, else the password."""
    user = cast(User, request.user)
    by_code = second_factor.of(user) is not None
    data = request.POST if request.method == "POST" else None
    form = CodeForm(data) if by_code else PasswordForm(data)
    if form.is_valid():
        try:
            _check(request, user, form)
        except ValidationError as wrong:
            form.add_error(None, wrong)
        else:
            threshold.proved(request)
            audit.record("console.confirmed", actor=user.get_username(), user_id=user.pk,
                         address=client_address(request), reason="code" if by_code else "password")  # fmt: skip
            return HttpResponseRedirect(_next(request))
    context = {**admin.site.each_context(request), "title": _("Confirm that it is you"), "form": form,
               "by_code": by_code}  # fmt: skip
    return attempts.answered(request, TemplateResponse(request, "admin/confirm.html", context))


def _check(request: HttpRequest, user: User, form: forms.Form) -> None:
    """Raises `ValidationError` in words for the form."""
    attempts.count(request, user.get_username())
    if "code" in form.cleaned_data:
        if second_factor.prove(user, form.cleaned_data["code"], now=timezone.now()):
            return
        attempts.refused(request, user.get_username(), reason="code")
        raise wrong_code()
    if not user.check_password(form.cleaned_data["password"]):
        attempts.refused(request, user.get_username(), reason="password")
        raise ValidationError(_("This password is wrong."))


def _next(request: HttpRequest) -> str:
    unverified_url = request.GET.get("next", "")
    hosts = {request.get_host()}
    if url_has_allowed_host_and_scheme(unverified_url, allowed_hosts=hosts, require_https=request.is_secure()):
        return unverified_url
    return reverse("admin:index")
