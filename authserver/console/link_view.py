"""The page behind a one-time link: it asks for a new password, where one is taken, and goes on as every sign-in does."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import audit
from authserver.addresses import client_address
from authserver.console import links, threshold, upstream_door


@never_cache
@sensitive_post_parameters()
def link_view(request: HttpRequest, token: str) -> HttpResponse:
    """GET uses nothing up, because mail and chat programs look at links by themselves; POST does."""
    user = links.follow(token)
    if user is None:
        return _over(request)
    asks_password = upstream_door.takes_password_of(user)
    data = request.POST if request.method == "POST" else None
    form = SetPasswordForm(user, data) if asks_password else forms.Form(data)
    if not form.is_valid():
        title = _("Choose a password") if asks_password else _("Sign in once")
        context = {**admin.site.each_context(request), "title": title, "subtitle": None,
                   "form": form, "username": user.get_username(), "asks_password": asks_password}  # fmt: skip
        return TemplateResponse(request, "admin/link.html", context)
    if not links.use(user, form.cleaned_data.get("new_password1")):
        return _over(request)
    audit.record("console.link_used", actor=user.get_username(), user_id=user.pk, address=client_address(request))
    return threshold.first_step_done(request, user, reverse("admin:index"), by="link")


def _over(request: HttpRequest) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": _("This link is over"), "subtitle": None}
    return TemplateResponse(request, "admin/link_over.html", context, status=404)
