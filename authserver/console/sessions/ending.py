"""Ending all of something in the console: what would end, the operator's reason, and then the receipt.

Whoever may revoke token sessions may do it, for what they may see. `EndsSessionsMixin` gives a page its button.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.admin_base import ConsoleAdmin, actor, row_for
from authserver.cascade import Receipt
from authserver.console import threshold
from authserver.console.receipts import receipt_url
from authserver.console.sessions import everything

if TYPE_CHECKING:
    Base = ConsoleAdmin
else:
    Base = object

REVOKE = "accounts.change_tokensession"
AT_ONCE = 1000
"""Sessions that one request ends: some seconds. `manage.py revoke` knows no bound."""


class ReasonForm(forms.Form):
    """Why, for the audit trail."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200)


class EndsSessionsMixin(Base):
    """For pages of what sessions hang on: a person, an app, a client, an upstream, a resource."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.revoke_all_view)
        return [path("<path:object_id>/revoke/", view, name=f"{self._stem}_revoke"), *super().get_urls()]

    @property
    def _stem(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = kwargs.get("obj")
        if obj is not None and request.user.has_perm(REVOKE):
            context["revoke_all_url"] = revoke_all_url(self._stem, obj.pk)
        return super().render_change_form(request, context, *args, **kwargs)

    def revoke_all_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET says what would end, POST ends it: `AT_ONCE` sessions at most, and then it says that there is more."""
        obj = row_for(
            self, request, object_id, allowed=request.user.has_perm(REVOKE) and self.has_view_permission(request)
        )
        if asked := threshold.ask_again(request):
            return asked
        ending = everything.of(obj, is_superuser=bool(request.user.is_superuser))
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            receipt = ending.end(
                actor=actor(request), address=self.address_of(request), words=form.cleaned_data["reason"], most=AT_ONCE
            )
            return ended(self, request, receipt, again=request.path)
        context = {
            **self.admin_site.each_context(request),
            "title": ending.title,
            "opts": self.opts,
            "object": obj,
            "ending": ending,
            "preview": ending.preview(now=timezone.now()),
            "at_once": AT_ONCE,
            "form": form,
        }
        return TemplateResponse(request, "admin/revoke_all.html", context)


def revoke_all_url(stem: str, pk: Any) -> str:
    """Of the page that ends all of one thing: `accounts_user` and a person's key."""
    return reverse(f"admin:{stem}_revoke", args=[quote(pk)])


def ended(model_admin: ConsoleAdmin, request: HttpRequest, receipt: Receipt, *, again: str = "") -> HttpResponse:
    """The way to the receipt, for whoever may read it; else to the list. `again` is where to go on, if there is more."""
    said = ngettext("Revoked %d token session.", "Revoked %d token sessions.", receipt.sessions) % receipt.sessions
    if not receipt.is_whole:
        model_admin.message_user(
            request,
            format_html('{} <a href="{}">{}</a>', _("There is more to end than one go does."), again, _("Go on")),
            messages.WARNING,
        )
    if request.user.has_perm("accounts.view_auditevent"):
        model_admin.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(receipt_url(receipt.id))
    model_admin.message_user(request, said, messages.SUCCESS)
    return HttpResponseRedirect(reverse("admin:accounts_tokensession_changelist"))
