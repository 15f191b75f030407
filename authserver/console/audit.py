"""The audit trail: append-only for everybody, superusers included. Filters, links, and an export that leaves a trace."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseBase,
    HttpResponseNotAllowed,
    StreamingHttpResponse,
)
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.admin_base import ReadOnlyAdmin, actor
from accounts.models import AuditEvent
from authserver.console import threshold
from authserver.console.receipts import receipt_url
from authserver.console.trail import export, filters, words

NOTHING = "-"


class Trail(ChangeList):
    """Django's list, narrowed by our form instead of by its own filters."""

    form: filters.FilterForm
    narrowed: filters.Narrowed

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        given: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in given.items() if name not in filters.ASKED}

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[AuditEvent]:
        rows = super().get_queryset(request, exclude_parameters)
        self.form = filters.FilterForm(request.GET)
        self.narrowed = filters.narrowed(rows, self.form, now=timezone.now())
        return self.narrowed.rows

    @property
    def asked(self) -> dict[str, str]:
        return filters.asked(self.form)

    @property
    def asked_in_address(self) -> str:
        return urlencode(self.asked)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """Exporting needs the permission `accounts.export_auditevent` beside that to look."""

    asked = filters.ASKED
    list_display = ("when", "what", "result", "person", "client", "session", "upstream", "address", "done_by", "steps")
    fields = ("at", "what", "result", "person", "client", "session", "resource", "upstream", "address", "done_by", "steps",
              "request_id", "details")  # fmt: skip
    ordering = ("-at",)
    change_list_template = "admin/audit_change_list.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Trail

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "offers_export": self._may_export(request)})

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name="accounts_auditevent_export"), *super().get_urls()]

    def _may_export(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("accounts.export_auditevent")

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """POST, because it writes to the trail itself: what was asked for before the first byte leaves, and afterwards
        how much of it there was."""
        if not self._may_export(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        listed = f"{reverse('admin:accounts_auditevent_changelist')}?{request.GET.urlencode()}"
        if asked := threshold.ask_again(request, come_back_to=listed):
            return asked
        kind = request.POST.get("format", "")
        form = filters.FilterForm(request.GET)
        if kind not in export.FORMATS or not form.is_valid():
            return HttpResponseBadRequest(_("This cannot be exported: check the filters."), content_type="text/plain")
        now = timezone.now()
        found = filters.narrowed(self.get_queryset(request), form, now=now)
        said: dict[str, Any] = {"format": kind, "filter": filters.asked(form)}
        who, address = actor(request), self.address_of(request)
        audit.record("audit.export_began", actor=who, address=address, now=now, **said)

        def done(rows: int, whole: bool) -> None:
            outcome, reason = ("ok", "") if whole else ("failed", "incomplete")
            audit.record(
                "audit.exported", outcome=outcome, reason=reason, actor=who, address=address, rows=rows, **said
            )

        answer = StreamingHttpResponse(export.lines(found.rows, kind, done=done), content_type=export.FORMATS[kind])
        answer["Content-Disposition"] = f'attachment; filename="audit-{now:%Y%m%dT%H%M%SZ}.{kind}"'
        answer["Cache-Control"] = "no-store"
        return answer

    @admin.display(description=gettext_lazy("when (UTC)"))
    def when(self, event: AuditEvent) -> str:
        return event.at.strftime("%Y-%m-%d %H:%M:%S")

    @admin.display(description=gettext_lazy("what"))
    def what(self, event: AuditEvent) -> SafeString:
        return format_html("{} <code>{}</code>", words.of_event(event.event), event.event)

    @admin.display(description=gettext_lazy("result"))
    def result(self, event: AuditEvent) -> str:
        said = words.of_outcome(event.outcome)
        return f"{said}: {event.reason}" if event.reason else said

    @admin.display(description=gettext_lazy("person"))
    def person(self, event: AuditEvent) -> str:
        if event.user_id is None:
            return NOTHING
        return _link(reverse("admin:accounts_user_change", args=[event.user_id]), f"{str(event.user_id)[:8]}…")

    @admin.display(description=gettext_lazy("client"))
    def client(self, event: AuditEvent) -> str:
        if not event.client_id:
            return NOTHING
        found = f"{reverse('admin:authserver_client_changelist')}?{urlencode({'q': event.client_id})}"
        return _link(found, event.client_id if len(event.client_id) <= 40 else f"{event.client_id[:39]}…")

    @admin.display(description=gettext_lazy("token session"))
    def session(self, event: AuditEvent) -> str:
        if not event.tsid:
            return NOTHING
        return _link(reverse("admin:accounts_tokensession_change", args=[event.tsid]), f"{event.tsid[:8]}…")

    @admin.display(description=gettext_lazy("done by"))
    def done_by(self, event: AuditEvent) -> str:
        return event.actor or NOTHING

    @admin.display(description=gettext_lazy("receipt"))
    def steps(self, event: AuditEvent) -> str:
        return _link(receipt_url(event.receipt), _("Receipt")) if event.receipt else NOTHING

    @admin.display(description=gettext_lazy("details"))
    def details(self, event: AuditEvent) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(event.detail, indent=2, ensure_ascii=False, sort_keys=True))


def _link(url: str, text: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', url, text)
