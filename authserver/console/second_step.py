"""The pages of the second factor: the code at every sign-in, and the one that enrols an authenticator app."""

from __future__ import annotations

from typing import Any, cast

import django_otp
import segno
from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import audit
from accounts.models import User
from authserver import second_factor
from authserver.addresses import client_address
from authserver.console import attempts, threshold
from authserver.models import Authenticator

BEGUN = "console_authenticator"  # the row that this browser session enrols


class CodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=second_factor.MAX_TYPED,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}),
    )


def wrong_code() -> ValidationError:
    return ValidationError(_("This code is wrong, or was used already. Wait for the next one, and try that."))


@never_cache
@sensitive_post_parameters()
def code_view(request: HttpRequest) -> HttpResponse:
    """The second step of a sign-in: GET asks for a code, POST lets in."""
    waiting = threshold.between(request)
    if waiting is None:
        return HttpResponseRedirect(reverse("admin:login"))
    user = waiting.user
    if second_factor.of(user) is None:
        return HttpResponseRedirect(reverse("admin:authenticator"))
    form = CodeForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            authenticator, by = _prove(request, user, form.cleaned_data["code"])
        except ValidationError as wrong:
            form.add_error(None, wrong)
        else:
            threshold.let_in(request, user, authenticator, by=f"{waiting.by} and {by}", via=waiting.via)
            if by == "recovery code":
                audit.record("console.recovery_code_used", actor=user.get_username(), user_id=user.pk,
                             address=client_address(request), left=second_factor.recovery_codes_left(user))  # fmt: skip
            return HttpResponseRedirect(waiting.next_url)
    return _page(request, "admin/second_step.html", _("Your second factor"), {"form": form})


@never_cache
@sensitive_post_parameters()
def authenticator_view(request: HttpRequest) -> HttpResponse:
    """Enrols an authenticator: for whoever stands between the steps and has none, and for an operator who is in.

    Whoever has one and has given only the password is sent to prove it: another one would be a way around it.
    """
    waiting = threshold.between(request)
    if waiting is not None:
        user, next_url = waiting.user, waiting.next_url
        if second_factor.of(user) is not None:
            return HttpResponseRedirect(reverse("admin:second-step"))
    elif admin.site.has_permission(request):
        if asked := threshold.ask_again(request):
            return asked
        user, next_url = cast(User, request.user), reverse("admin:index")
    else:
        return HttpResponseRedirect(reverse("admin:login"))
    begun = second_factor.begun(user, request.session.get(BEGUN))
    request.session[BEGUN] = begun.pk
    form = CodeForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            codes = _confirm(request, user, begun, form.cleaned_data["code"])
        except ValidationError as wrong:
            form.add_error(None, wrong)
        else:
            _enrolled(request, user, begun, waiting)
            shown = {"codes": codes, "next": next_url}
            return _page(request, "admin/recovery_codes.html", _("Keep your recovery codes"), shown)
    key = second_factor.key_of(begun)
    context = {
        "form": form,
        "qr_code": _qr_code(second_factor.uri_of(begun)),
        "key": " ".join(key[at : at + 4] for at in range(0, len(key), 4)),
    }
    return _page(request, "admin/authenticator.html", _("Set up your second factor"), context)


def _prove(request: HttpRequest, user: User, typed: str) -> tuple[Authenticator, str]:
    """Raises `ValidationError` in words for the form."""
    attempts.count(request, user.get_username())
    proved = second_factor.prove(user, typed, now=timezone.now())
    if proved is None:
        attempts.refused(request, user.get_username(), reason="code")
        raise wrong_code()
    return proved


def _confirm(request: HttpRequest, user: User, begun: Authenticator, typed: str) -> list[str]:
    """The recovery codes. Raises as above."""
    attempts.count(request, user.get_username())
    codes = second_factor.confirm(user, begun.pk, typed, now=timezone.now())
    if codes is None:
        raise wrong_code()
    return codes


def _enrolled(
    request: HttpRequest, user: User, authenticator: Authenticator, waiting: threshold.Between | None
) -> None:
    """In with it, so that the page that shows the codes is the last of this sign-in."""
    request.session.pop(BEGUN, None)
    address = client_address(request)
    audit.record("console.authenticator_added", actor=user.get_username(), user_id=user.pk, address=address)
    if waiting:
        by = f"{waiting.by} and new authenticator"
        threshold.let_in(request, user, authenticator, by=by, via=waiting.via)
    else:
        django_otp.login(request, authenticator)
        threshold.proved(request)


def _qr_code(uri: str) -> SafeString:
    """Paths and attributes only: no style, no script, nothing that the policy would stop."""
    drawn = segno.make(uri, error="m", micro=False)
    svg = drawn.svg_inline(scale=5, border=4, dark="#000", light="#fff", svgclass=None, lineclass=None)
    return mark_safe(svg)  # noqa: S308 - drawn here, of numbers


def _page(request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> HttpResponse:
    whole = {**admin.site.each_context(request), "title": title, "subtitle": None, **context}
    return attempts.answered(request, TemplateResponse(request, template, whole))
