"""Signing keys: their public halves and their turns; a button that goes on with a turn, and one for emergencies."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin_base import ReadOnlyAdmin, actor, row_for
from accounts.vault.base import SealingUnavailable
from authserver import keys
from authserver.console import threshold
from authserver.keys import rotation
from authserver.keys.base import SigningUnavailable
from authserver.models import SigningKey

Phase = SigningKey.Phase


class ReasonForm(forms.Form):
    """Why, for the audit trail."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200)


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    """Both buttons need the permission to change signing keys; nothing else about them can be changed."""

    list_display = ("kid", "algorithm", "phase", "created_at", "activated_at", "retired_at")
    fields = (*list_display, "public_jwk")
    ordering = ("-created_at",)
    change_list_template = "admin/signing_key_change_list.html"
    change_form_template = "admin/signing_key_change_form.html"

    def may_turn(self, request: HttpRequest) -> bool:
        return request.user.has_perm("authserver.change_signingkey")

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("rotate/", wrap(self.rotate_view), name="authserver_signingkey_rotate"),
            path("<path:object_id>/revoke/", wrap(self.revoke_view), name="authserver_signingkey_revoke"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "offers_turn": self._offers(request)})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["offers_revoke"] = kwargs.get("obj") and self._offers(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def rotate_view(self, request: HttpRequest) -> HttpResponse:
        """The list's button: GET says what the next step is, POST does it."""
        if not self.may_turn(request):
            raise PermissionDenied
        if asked := threshold.ask_again(request):
            return asked
        if request.method != "POST":
            following = SigningKey.objects.filter(phase=Phase.NEXT).first()
            context = {
                "following": following,
                "due_at": following and following.created_at + rotation.PUBLISHED_AHEAD,
                "now": timezone.now(),
            }
            return self._page(request, "admin/rotate_signing_key.html", _("Rotate the signing key"), context)
        try:
            keys.signer().ping()
            turn = rotation.advance(now=timezone.now(), actor=actor(request))
        except (rotation.NotHere, SigningUnavailable, SealingUnavailable) as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self._say(request, turn)
        return HttpResponseRedirect(reverse("admin:authserver_signingkey_changelist"))

    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A key's button: GET asks, POST revokes."""
        key = row_for(self, request, object_id, allowed=self.may_turn(request))
        if asked := threshold.ask_again(request):
            return asked
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            context = {"key": key, "form": form}
            return self._page(request, "admin/revoke_signing_key.html", _("Revoke a signing key"), context)
        try:
            signing = rotation.revoke(
                [key.kid],
                now=timezone.now(),
                actor=actor(request),
                reason=form.cleaned_data["reason"],
                address=self.address_of(request),
            )
        except rotation.NoSuchKey:
            raise Http404 from None
        except (rotation.NotHere, SigningUnavailable, SealingUnavailable) as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            said = _("Revoked %(kid)s. %(signing)s signs from now on.") % {"kid": key.kid, "signing": signing}
            self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:authserver_signingkey_changelist"))

    def _offers(self, request: HttpRequest) -> bool:
        try:
            rotation.check_source()
        except rotation.NotHere:
            return False
        return self.may_turn(request)

    def _say(self, request: HttpRequest, turn: rotation.Turn) -> None:
        """No message begins with a kid: the admin makes the first letter of each a capital one."""
        if turn.published:
            said = _("The key %(kid)s is published. It takes over in %(hours)d hours, with the maintenance.") % {
                "kid": turn.published,
                "hours": rotation.PUBLISHED_AHEAD.total_seconds() // 3600,
            }
        elif turn.activated:
            said = _("The key %(kid)s signs from now on.") % {"kid": turn.activated}
        else:
            said = _("The next key is published already; its time has not come yet.")
        self.message_user(request, said, messages.SUCCESS)

    def _page(self, request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> HttpResponse:
        whole = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, **context}
        return TemplateResponse(request, template, whole)
