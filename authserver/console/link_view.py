"""The page behind a one-time link: it asks for a new password, and goes on as every sign-in does."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import audit
from accounts.models import User
from authserver.addresses import client_address
from authserver.console import links, threshold


@never_cache
@sensitive_post_parameters()
def link_view(request: HttpRequest, token: str) -> HttpResponse:
    """GET uses nothing up, because mail and chat programs look at links by themselves; POST does."""
    user = links.follow(token)
    if user is None:
        return _over(request)
    form: SetPasswordForm[User] = SetPasswordForm(user, request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {**admin.site.each_context(request), "title": _("Choose a password"), "subtitle": None,
                   "form": form, "username": user.get_username()}  # fmt: skip
        return TemplateResponse(request, "admin/link.html", context)
    if not links.use(user, form.cleaned_data["new_password1"]):
        return _over(request)
    audit.record("console.link_used", actor=user.get_username(), user_id=user.pk, address=client_address(request))
    return threshold.first_step_done(request, user, reverse("admin:index"), by="link")


def _over(request: HttpRequest) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": _("This link is over"), "subtitle": None}
    return TemplateResponse(request, "admin/link_over.html", context, status=404)
