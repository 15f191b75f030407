"""Token sessions: who lets which client reach what, and the button that ends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import devices
from accounts.admin_base import ReadOnlyAdmin, actor
from accounts.models import TokenSession
from authserver import cascade, receipts
from authserver.console import threshold
from authserver.console.receipts import receipt_url

MAX_AT_ONCE = 500


class ReasonForm(forms.Form):
    """Why, for the audit trail."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200)


class OpenFilter(admin.SimpleListFilter):
    """Open ones by default: those are what a list is opened for, and what an index leads to."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("all", gettext_lazy("All, closed ones too"))]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Django's first choice is "All"; ours is not."""
        first, *others = super().choices(changelist)
        yield {**first, "display": _("Open")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[TokenSession]) -> QuerySet[TokenSession]:
        return queryset if self.value() == "all" else queryset.filter(closed_at=None)


@admin.register(TokenSession)
class TokenSessionAdmin(ReadOnlyAdmin):
    """Revoking needs the permission to change token sessions; nothing else about them can be changed."""

    list_display = (
        "tsid",
        "user",
        "client_id",
        "resource",
        "device",
        "is_alive",
        "created_at",
        "last_used_at",
        "expires_at",
    )
    fields = (
        *list_display,
        "scope",
        "redirect_host",
        "address",
        "user_agent",
        "idle_expires_at",
        "closed_at",
        "close_reason",
    )
    list_filter = (OpenFilter,)
    list_select_related = ("user",)
    searched = ("tsid", "client_id", "user__id", "user__username", "user__email")
    actions = ("revoke_selected",)
    change_form_template = "admin/session_change_form.html"

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Along an index either way."""
        return ("tsid",) if request.GET.get(OpenFilter.parameter_name) else ("-idle_expires_at",)

    @admin.display(description=gettext_lazy("approved with"))
    def device(self, session: TokenSession) -> str:
        """Where the person sat when they approved it; the client may be elsewhere."""
        return devices.describe(session.user_agent) or "-"

    @admin.display(boolean=True, description=gettext_lazy("alive"))
    def is_alive(self, session: TokenSession) -> bool:
        now = timezone.now()
        return session.closed_at is None and session.idle_expires_at > now and session.expires_at > now

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_tokensession")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.revoke_view)
        return [path("<path:object_id>/revoke/", view, name="accounts_tokensession_revoke"), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        session = kwargs.get("obj")
        context["offers_revoke"] = session and session.closed_at is None and self.has_revoke_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(permissions=["revoke"], description=gettext_lazy("Revoke selected token sessions"))
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[TokenSession]) -> HttpResponse | None:
        """The list's action: the confirmation page first, which posts back here with a reason."""
        if asked := threshold.ask_again(request):
            return asked
        sessions = list(queryset.select_related("user")[:MAX_AT_ONCE])
        return self._confirm_or_revoke(request, sessions, confirmed="confirmed" in request.POST)

    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The detail page's button: GET asks, POST revokes."""
        if not self.has_revoke_permission(request):  # before looking, so that nobody learns which sessions there are
            raise PermissionDenied
        session = self.get_object(request, unquote(object_id))
        if session is None:
            raise Http404
        answer = self._confirm_or_revoke(request, [session], confirmed=request.method == "POST")
        return answer or HttpResponseRedirect(reverse("admin:accounts_tokensession_changelist"))

    def _confirm_or_revoke(
        self, request: HttpRequest, sessions: list[TokenSession], *, confirmed: bool
    ) -> HttpResponse | None:
        """None when it is done."""
        form = ReasonForm(request.POST if confirmed else None)
        tsids = [session.tsid for session in sessions]
        if not form.is_valid():
            context = {
                **self.admin_site.each_context(request),
                "title": _("Revoke token sessions"),
                "opts": self.opts,
                "sessions": sessions,
                "preview": receipts.preview(tsids, now=timezone.now()),
                "form": form,
            }
            return TemplateResponse(request, "admin/revoke_sessions.html", context)
        words = form.cleaned_data["reason"]
        receipt = cascade.revoke_sessions(
            tsids, reason="admin", actor=actor(request), address=self.address_of(request), words=words
        )
        message = ngettext("Revoked %d token session.", "Revoked %d token sessions.", receipt.sessions)
        said = format_html(
            '{} <a href="{}">{}</a>', message % receipt.sessions, receipt_url(receipt.id), _("Show the receipt")
        )
        self.message_user(request, said, messages.SUCCESS)
        return None
