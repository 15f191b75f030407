"""The app registry in the console: the queue of apps that wait, and what an operator decides about each."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.admin_base import ConsoleAdmin, ReadOnlyAdmin, actor
from authserver import app_merging, app_registry, cascade, look_alikes, receipts
from authserver.app_identity import without_details
from authserver.console import threshold
from authserver.console.registry import counts, filters, merging, page, splitting, words
from authserver.console.registry.forms import EDITED, AppForm
from authserver.console.sessions import EndsSessionsMixin, ReasonForm
from authserver.models import App, AppNote, ApprovalRequest, Client

SHOWN = 50
AT_ONCE = 200


@admin.register(App)
class AppAdmin(EndsSessionsMixin, ConsoleAdmin):
    """Searched by name, in whatever letters: look-alikes are found with it. What is merged into another app is found by
    its own name and shows as that app."""

    form = AppForm
    change_form_template = "admin/app_change_form.html"
    list_display = ("__str__", "state", "suspicion", "registrations", "people", "seen", "waiting")
    list_filter = (filters.QueueFilter, "state", "kind")
    searched = ("place",)
    search_help_text = gettext_lazy("A name, or a host")
    ordering = ("-id",)
    actions = ("approve", "verify", "block", "merge")
    fields = (
        "name", "names", "place", "kind", "suspicion", *EDITED, "registrations", "people", "seen", "waiting", "requests",
        "created_at", "decided_at", "decided_by",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: App | None = None) -> tuple[str, ...]:
        return tuple(name for name in self.fields if name not in EDITED)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """An app appears with its first registration."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: App | None = None) -> bool:
        """Blocked instead: a deleted one would come back undecided."""
        return False

    def get_urls(self) -> list[Any]:
        def ours(route: str, view: Any, name: str) -> Any:
            return path(route, self.admin_site.admin_view(partial(view, self)), name=f"authserver_app_{name}")

        return [
            ours("merge/", merging.merge_view, "merge"),
            ours("<path:object_id>/split/", splitting.split_view, "split"),
            ours("<path:object_id>/note/", page.note, "note"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[App]:
        return counts.counted(super().get_queryset(request).filter(merged_into=None), now=timezone.now())

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[App], search_term: str
    ) -> tuple[QuerySet[App], bool]:
        found, distinct = super().get_search_results(request, queryset, search_term)
        term = search_term.strip()[:255]
        alike = look_alikes.skeleton(without_details(term))
        if not alike or "\x00" in term:
            return found, distinct
        named = Q(skeleton__startswith=alike)
        aliases = App.objects.filter(named | Q(place__startswith=term), merged_into__isnull=False)
        into = list(aliases.order_by("pk").values_list("merged_into", flat=True)[:SHOWN])
        return found | queryset.filter(named | Q(pk__in=into)), distinct

    @admin.display(description=gettext_lazy("registrations"))
    def registrations(self, app: App) -> SafeString:
        clients = reverse("admin:authserver_client_changelist")
        return format_html('<a href="{}?app={}">{}</a>', clients, app.pk, counts.registrations(app))

    @admin.display(description=gettext_lazy("people"))
    def people(self, app: App) -> str:
        return str(counts.people(app))

    @admin.display(description=gettext_lazy("last seen"))
    def seen(self, app: App) -> str:
        return _moment(app.seen_at)  # type: ignore[attr-defined]  # annotated above

    @admin.display(description=gettext_lazy("asked for"))
    def waiting(self, app: App) -> str:
        count, last = app.request_count, app.last_request  # type: ignore[attr-defined]  # annotated above
        if not count:
            return "-"
        said = ngettext("%(count)d time, last %(when)s", "%(count)d times, last %(when)s", count)
        return said % {"count": count, "when": _moment(last)}

    @admin.display(description=gettext_lazy("suspicious"))
    def suspicion(self, app: App) -> str:
        return words.suspicion(app) or "-"

    @admin.display(description=gettext_lazy("names it gave itself"))
    def names(self, app: App) -> str:
        """`name` is the one that was seen first; the rest is what people may be shown."""
        own = Client.objects.filter(app__in=App.together([app.pk]))
        given = own.order_by("name").values_list("name", flat=True).distinct()
        return ", ".join(f"“{name}”" for name in given[:SHOWN] if name) or "-"

    @admin.display(description=gettext_lazy("who asked"))
    def requests(self, app: App) -> SafeString:
        """The newest, each with what the person wrote; nobody has checked who they say they are."""
        asked = ApprovalRequest.objects.filter(app__in=App.together([app.pk]))
        newest = asked.select_related("resource").order_by("-requested_at")[:SHOWN]
        lines = (
            (_moment(one.requested_at), one.resource.name,
             _("signed in as %s") % one.user_id if one.user_id else _("not signed in"), one.address or "", one.note)
            for one in newest
        )  # fmt: skip
        return format_html_join("", "<p>{} · {} · {} · {}<br>{}</p>", lines) or SafeString("-")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context |= page.context(self, request, kwargs["obj"])
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: App, form: Any, change: bool) -> None:
        """The state is decided in the one way there is; the rest is just written, for the aliases too.

        Decided once the rest is committed: Django saves a form in one transaction, in which a block would be seen by
        nobody until the last session has ended, and sessions go on being made meanwhile.
        """
        decided, obj.state = obj.state, form.stored_state
        app_registry.limit(obj, form.cleaned_data)
        if "state" in form.changed_data:
            transaction.on_commit(partial(self._decide, request, [obj], decided, ""))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A block ends the app's sessions, whichever way it comes."""
        key = filters.keys([unquote(object_id or "")], most=1)
        alias = App.objects.filter(pk__in=key, merged_into__isnull=False).first()
        if alias and self.has_view_or_change_permission(request):
            return self._is_merged(request, alias)
        blocks = request.POST.get("state") == App.State.BLOCKED and self.has_change_permission(request)
        if blocks and (asked := threshold.ask_again(request)):
            return asked
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except app_registry.Overtaken:
            return self._is_merged(request, App.objects.get(pk__in=key))

    def _is_merged(self, request: HttpRequest, alias: App) -> HttpResponse:
        if request.method == "POST":
            self.message_user(request, _("Somebody has merged it into this app: nothing was changed."), messages.ERROR)
        else:
            self.message_user(request, _("“%s” is merged into this app.") % alias, messages.INFO)
        return HttpResponseRedirect(reverse("admin:authserver_app_change", args=[alias.main_key]))

    @admin.action(permissions=["change"], description=gettext_lazy("Approve selected apps"))
    def approve(self, request: HttpRequest, queryset: QuerySet[App]) -> None:
        self._decide(request, queryset[:AT_ONCE], App.State.APPROVED, "", from_list=True)

    @admin.action(permissions=["change"], description=gettext_lazy("Verify selected apps"))
    def verify(self, request: HttpRequest, queryset: QuerySet[App]) -> None:
        self._decide(request, queryset[:AT_ONCE], App.State.VERIFIED, "", from_list=True)

    @admin.action(permissions=["change"], description=gettext_lazy("Merge selected apps"))
    def merge(self, request: HttpRequest, queryset: QuerySet[App]) -> HttpResponse:
        """On to the page that asks which of them stays."""
        chosen = queryset.order_by("pk").values_list("pk", flat=True)[: app_merging.MOST]
        address = urlencode([("app", key) for key in chosen])
        return HttpResponseRedirect(f"{reverse('admin:authserver_app_merge')}?{address}")

    @admin.action(permissions=["change"], description=gettext_lazy("Block selected apps, and end their sessions"))
    def block(self, request: HttpRequest, queryset: QuerySet[App]) -> HttpResponse | None:
        """The confirmation page first, which posts back here with a reason. What was merged into another app since the
        list was shown blocks that one."""
        if asked := threshold.ask_again(request):
            return asked
        selected = filters.keys(request.POST.getlist("_selected_action"), most=AT_ONCE)
        found = [*queryset[:AT_ONCE], *App.objects.filter(aliases__in=selected)]
        apps = list({app.pk: app for app in found}.values())
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            context = {
                **self.admin_site.each_context(request),
                "title": _("Block apps"),
                "opts": self.opts,
                "apps": apps,
                "preview": receipts.preview(
                    (tsid for app in apps for tsid in cascade.sessions_of_app(app)), now=timezone.now()
                ),
                "form": form,
            }
            return TemplateResponse(request, "admin/block_apps.html", context)
        self._decide(request, apps, App.State.BLOCKED, form.cleaned_data["reason"])
        return None

    def _decide(
        self, request: HttpRequest, apps: Iterable[App], state: str, reason: str, *, from_list: bool = False
    ) -> None:
        """A list may have been open since before a block: that is lifted on the app's page, which says that it saw it."""
        decided, ended, refused, overtaken = 0, 0, [], []
        for app in apps:
            if from_list and app.is_blocked:
                overtaken.append(str(app))
                continue
            try:
                ended += app_registry.decide(
                    app,
                    state,
                    actor=actor(request),
                    reason=reason,
                    now=timezone.now(),
                    address=self.address_of(request),
                )
                decided += 1
            except app_registry.NotVerifiable:
                refused.append(str(app))
            except app_registry.Overtaken:
                overtaken.append(str(app))
        if refused:
            said = _("Any program on a person's device can register under these names: approve them instead. %s")
            self.message_user(request, said % ", ".join(refused), messages.WARNING)
        if overtaken:
            said = _(
                "These are blocked, or merged into others: nothing was changed. A block is lifted on the app's page. %s"
            )
            self.message_user(request, said % ", ".join(overtaken), messages.ERROR)
        if decided:
            said = ngettext("%(count)d app is %(state)s now.", "%(count)d apps are %(state)s now.", decided)
            said %= {"count": decided, "state": App.State(state).label}
            if state == App.State.BLOCKED:
                said += " " + ngettext("%d token session ended.", "%d token sessions ended.", ended) % ended
            self.message_user(request, said, messages.SUCCESS)


def _moment(at: datetime) -> str:
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M")


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ReadOnlyAdmin):
    """Without `parameters`: they hold the client's `state`."""

    list_display = ("requested_at", "app", "resource", "user_id", "note", "address", "expires_at")
    fields = (*list_display, "client_id")
    list_select_related = ("app", "resource")
    ordering = ("-expires_at",)


@admin.register(AppNote)
class AppNoteAdmin(ReadOnlyAdmin):
    """Added on the app's page, and never changed."""

    list_display = ("at", "app", "by", "text")
    fields = list_display
    list_filter = (filters.AppFilter,)
    list_select_related = ("app",)
    ordering = ("-id",)
