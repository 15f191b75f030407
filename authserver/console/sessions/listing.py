"""Token sessions as a list: who lets which app reach what, from where, until when; and what ends them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import devices
from accounts.admin_base import ReadOnlyAdmin, actor, row_for
from accounts.models import TokenSession
from authserver import cascade, receipts
from authserver.console import threshold
from authserver.console.sessions import filters, story
from authserver.console.sessions.beside import Beside, app_of, beside, configured
from authserver.console.sessions.ending import REVOKE, ReasonForm, ended, revoke_all_url
from authserver.console.sessions.standing import Standing

MAX_AT_ONCE = 500
NOTHING = "-"


class Sessions(ChangeList):
    """Django's list, narrowed by our form instead of by its own filters, with what each row is read together with."""

    form: filters.FilterForm
    narrowed: filters.Narrowed
    beside: Beside

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        given: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in given.items() if name not in filters.ASKED}

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[TokenSession]:
        self.now = timezone.now()
        self.form = filters.FilterForm(request.GET, configured())
        rows = super().get_queryset(request, exclude_parameters)
        self.narrowed = filters.narrowed(rows, self.form, now=self.now)
        return self.narrowed.rows

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        sessions: list[TokenSession] = list(self.result_list)
        self.result_list = sessions  # read once, for the rows and for what stands beside them
        self.beside = beside(sessions, self.form.known, now=self.now)
        for session in sessions:
            session.beside = self.beside  # type: ignore[attr-defined]  # for the columns, which get the row alone

    @property
    def endings(self) -> list[tuple[str, str]]:
        """Of each thing that the filters name: its name, and the page that ends all of it."""
        return [(thing.name, revoke_all_url(thing.stem, thing.pk)) for thing in self.narrowed.named.values()]


@admin.register(TokenSession)
class TokenSessionAdmin(ReadOnlyAdmin):
    """Revoking needs the permission to change token sessions; nothing else about them can be changed."""

    asked = filters.ASKED
    list_display = ("session", "person", "app", "reaches", "device", "created", "last_used", "ends")
    fields = ("tsid",)  # the page is the story's own
    list_select_related = ("user",)
    ordering = ("-created_at", "-tsid")
    actions = ("revoke_selected",)
    change_list_template = "admin/session_change_list.html"
    change_form_template = "admin/session_story.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Sessions

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(
            request, {**(extra_context or {}), "offers_revoke": self.has_revoke_permission(request)}
        )

    @admin.display(description=gettext_lazy("session"))
    def session(self, session: TokenSession) -> str:
        return f"{session.tsid[:8]}…"

    @admin.display(description=gettext_lazy("person"))
    def person(self, session: TokenSession) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:accounts_user_change", args=[session.user_id]), session.user
        )

    @admin.display(description=gettext_lazy("app and client"))
    def app(self, session: TokenSession) -> SafeString:
        client = _beside(session).clients.get(session.client_id)
        short = session.client_id if len(session.client_id) <= 32 else f"{session.client_id[:31]}…"
        if client is None:
            return format_html("{}<br><code>{}</code>", _("a client that is gone"), short)
        return format_html(
            '<a href="{}">{}</a><br><a href="{}"><code>{}</code></a>',
            reverse("admin:authserver_app_change", args=[client.app.main_key]),
            app_of(client).name or app_of(client),
            reverse("admin:authserver_client_change", args=[client.pk]),
            short,
        )

    @admin.display(description=gettext_lazy("resource and upstreams"))
    def reaches(self, session: TokenSession) -> SafeString:
        """With the upstreams that it has, and those that it needs and does not have."""
        known = _beside(session).known.resources.get(session.resource)
        lines = (
            (one.title, one.standing.label)
            for one in _beside(session).upstreams.get(session.tsid, ())
            if one.required or one.standing != Standing.MISSING
        )
        return format_html(
            "{}{}", known.name if known else session.resource, format_html_join("", "<div>{}: {}</div>", lines)
        )

    @admin.display(description=gettext_lazy("device and address"))
    def device(self, session: TokenSession) -> SafeString:
        """Where the person sat when they approved it; the client may be elsewhere."""
        return format_html("{}<br>{}", devices.describe(session.user_agent) or NOTHING, session.address or NOTHING)

    @admin.display(description=gettext_lazy("created"))
    def created(self, session: TokenSession) -> SafeString:
        return _said(session.created_at)

    @admin.display(description=gettext_lazy("last used"))
    def last_used(self, session: TokenSession) -> SafeString:
        return _said(session.last_used_at)

    @admin.display(description=gettext_lazy("ends"))
    def ends(self, session: TokenSession) -> SafeString:
        """When, unless it is used; or when and why it ended."""
        if session.closed_at is not None:
            return format_html("{}<br>{}<br>{}", _("ended"), _said(session.closed_at), session.close_reason)
        if session.idle_expires_at <= timezone.now():
            return format_html("{}<br>{}", _("has run out"), _said(session.idle_expires_at))
        return _said(session.idle_expires_at)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(REVOKE)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.revoke_view)
        return [path("<path:object_id>/revoke/", view, name="accounts_tokensession_revoke"), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        session = kwargs.get("obj")
        if session is not None:
            context["story"] = story.of(session, may=request.user.has_perm, now=timezone.now())
            context["offers_revoke"] = session.closed_at is None and self.has_revoke_permission(request)
            context["trail_url"] = (
                f"{reverse('admin:accounts_auditevent_changelist')}?{urlencode({'tsid': session.tsid})}"
            )
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(permissions=["revoke"], description=gettext_lazy("Revoke selected token sessions"))
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[TokenSession]) -> HttpResponse:
        """The list's action: the confirmation page first, which posts back here with a reason."""
        if asked := threshold.ask_again(request):
            return asked
        sessions = list(queryset.select_related("user")[:MAX_AT_ONCE])
        return self._confirm_or_revoke(request, sessions, confirmed="confirmed" in request.POST)

    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The detail page's button: GET asks, POST revokes."""
        session = row_for(self, request, object_id, allowed=self.has_revoke_permission(request))
        return self._confirm_or_revoke(request, [session], confirmed=request.method == "POST")

    def _confirm_or_revoke(
        self, request: HttpRequest, sessions: list[TokenSession], *, confirmed: bool
    ) -> HttpResponse:
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
        return ended(self, request, receipt)


def _beside(session: TokenSession) -> Beside:
    found: Beside = session.beside  # type: ignore[attr-defined]  # set by `Sessions`
    return found


def _said(moment: datetime) -> SafeString:
    """In two lines: eight columns have to fit."""
    return format_html("{}<br>{}", moment.strftime("%Y-%m-%d"), moment.strftime("%H:%M"))
