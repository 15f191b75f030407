"""The page that asks an operator who is in once more who they are: see `threshold.ask_again`."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import audit
from accounts.browser_sessions import IN_CONSOLE_WITH
from accounts.models import User
from authserver import second_factor
from authserver.addresses import client_address
from authserver.console import attempts, threshold, upstream_door, upstream_entry
from authserver.console.second_step import CodeForm, wrong_code

MAX_PASSWORD = 4096
CODE, UPSTREAM, PASSWORD, NOTHING = "code", "upstream", "password", "nothing"


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=MAX_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


FORMS: dict[str, type[forms.Form]] = {CODE: CodeForm, PASSWORD: PasswordForm}


@never_cache
@sensitive_post_parameters()
def confirm_view(request: HttpRequest) -> HttpResponse:
    """For who is in: a code where they have an authenticator, else a sign-in at the upstream they came from, or the
    password."""
    user, way = cast(User, request.user), _way(request)
    next_url = threshold.next_within(request, request.GET.get("next", ""))
    data = request.POST if request.method == "POST" else None
    form = FORMS[way](data) if way in FORMS else None
    if form is not None and form.is_valid():
        try:
            _check(request, user, form)
        except ValidationError as wrong:
            form.add_error(None, wrong)
        else:
            threshold.proved(request)
            audit.record("console.confirmed", actor=user.get_username(), user_id=user.pk,
                         address=client_address(request), reason=way)  # fmt: skip
            return upstream_entry.confirmed(request, next_url)
    if way == UPSTREAM and request.method == "POST":
        if away := upstream_entry.begin_proof(request, next_url):
            return away
        messages.error(request, _("The upstream cannot be reached now. Try again."))
    provider = upstream_door.provider()
    context = {**admin.site.each_context(request), "title": _("Confirm that it is you"), "form": form, "way": way,
               "upstream_title": provider.title if provider else ""}  # fmt: skip
    return attempts.answered(request, TemplateResponse(request, "admin/confirm.html", context))


def _way(request: HttpRequest) -> str:
    user = cast(User, request.user)
    if second_factor.of(user) is not None:
        return CODE
    if request.session.get(IN_CONSOLE_WITH):
        return UPSTREAM
    return PASSWORD if upstream_door.takes_password_of(user) and user.has_usable_password() else NOTHING


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
