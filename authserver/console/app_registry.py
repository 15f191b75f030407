"""The app registry in the console: the queue of apps that wait, and what an operator decides about each."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, DateTimeField, IntegerField, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.admin_base import ConsoleAdmin, ReadOnlyAdmin, actor
from authserver import app_registry, cascade, look_alikes, receipts
from authserver.app_identity import without_details
from authserver.configuration import shapes
from authserver.console import threshold
from authserver.console.exam import examine
from authserver.console.sessions import ReasonForm
from authserver.models import App, ApprovalRequest, Client, Consent

SHOWN = 50
AT_ONCE = 200
EDITED = ("state", "told", "note", "allowed_scopes", "reusable_refresh_tokens")
SUSPICIONS = {
    "looks_like": gettext_lazy("looks like “%(name)s”, which is another app"),
    "claims": gettext_lazy("claims to be official or verified"),
    "mixed_scripts": gettext_lazy("mixes look-alike letters of several scripts"),
}


class AppForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    class Meta:
        model = App
        fields = EDITED
        widgets = {
            "note": forms.Textarea(attrs={"rows": 3, "cols": 80}),
            "told": forms.Textarea(attrs={"rows": 2, "cols": 80}),
            "allowed_scopes": forms.Textarea(attrs={"rows": 2, "cols": 80}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """What the form showed comes back with it: a state that somebody else has set since is not undone by saving."""
        super().__init__(*args, **kwargs)
        self.stored_state: str = self.instance.state
        if "state" in self.fields:  # not for whoever may only look
            self.fields["state"].show_hidden_initial = True

    def clean_state(self) -> str:
        state = str(self.cleaned_data["state"])
        if state == App.State.VERIFIED and not self.instance.can_be_verified:
            raise forms.ValidationError(
                _("Any program on a person's device can register under this name: approve it instead.")
            )
        return state

    def clean(self) -> dict[str, Any]:
        typed = {**super().clean(), **self.cleaned_data}  # type: ignore[dict-item]  # never None: ours
        entry = {"scopes": typed.get("allowed_scopes", "").split()}
        scopes = examine(
            self, entry, lambda fields: fields.texts("scopes", check=shapes.scope), fields={"scopes": "allowed_scopes"}
        )
        return {**typed, "allowed_scopes": " ".join(scopes or ())}


class QueueFilter(admin.SimpleListFilter):
    """Pending apps that somebody asked for."""

    title = gettext_lazy("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("asked", gettext_lazy("Somebody waits for it"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[App]) -> QuerySet[App]:
        if self.value() != "asked":
            return queryset
        return queryset.filter(state=App.State.PENDING, pk__in=ApprovalRequest.objects.values("app"))


@admin.register(App)
class AppAdmin(ConsoleAdmin):
    """Searched by name, in whatever letters: look-alikes are found with it."""

    form = AppForm
    list_display = ("__str__", "state", "suspicion", "registrations", "people", "waiting")
    list_filter = (QueueFilter, "state", "kind")
    searched = ("place",)
    search_help_text = gettext_lazy("A name, or a host")
    ordering = ("-id",)
    actions = ("approve", "verify", "block")
    fields = (
        "name", "names", "place", "kind", "suspicion", *EDITED, "registrations", "people", "waiting", "requests", "created_at",
        "decided_at", "decided_by",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: App | None = None) -> tuple[str, ...]:
        return tuple(name for name in self.fields if name not in EDITED)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """An app appears with its first registration."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: App | None = None) -> bool:
        """Blocked instead: a deleted one would come back undecided."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[App]:
        """Counted for the rows of one page, each along an index."""
        apps: QuerySet[App] = super().get_queryset(request)
        own_requests = ApprovalRequest.objects.filter(app=OuterRef("pk")).values("app")
        last = own_requests.annotate(last=Max("requested_at")).values("last")
        imitated = app_registry.answered_for().filter(skeleton=OuterRef("skeleton")).exclude(pk=OuterRef("pk"))
        return apps.annotate(
            likeness=Subquery(imitated.exclude(skeleton="").values("name")[:1]),
            registration_count=_count(Client.objects.filter(app=OuterRef("pk")).values("app"), "pk"),
            people_count=_count(Consent.objects.filter(client__app=OuterRef("pk")).values("client__app"), "user"),
            request_count=_count(own_requests, "pk"),
            last_request=Subquery(last, output_field=DateTimeField()),
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[App], search_term: str
    ) -> tuple[QuerySet[App], bool]:
        found, distinct = super().get_search_results(request, queryset, search_term)
        alike = look_alikes.skeleton(without_details(search_term[:255]))
        return (found | queryset.filter(skeleton__startswith=alike) if alike else found), distinct

    @admin.display(description=gettext_lazy("registrations"))
    def registrations(self, app: App) -> SafeString:
        count = app.registration_count  # type: ignore[attr-defined]  # annotated above
        return format_html('<a href="{}?app={}">{}</a>', reverse("admin:authserver_client_changelist"), app.pk, count)

    @admin.display(description=gettext_lazy("people"))
    def people(self, app: App) -> int:
        return app.people_count  # type: ignore[attr-defined,no-any-return]  # annotated above

    @admin.display(description=gettext_lazy("asked for"))
    def waiting(self, app: App) -> str:
        count, last = app.request_count, app.last_request  # type: ignore[attr-defined]  # annotated above
        if not count:
            return "-"
        when = timezone.localtime(last).strftime("%Y-%m-%d %H:%M")
        return ngettext("%(count)d time, last %(when)s", "%(count)d times, last %(when)s", count) % {
            "count": count, "when": when,
        }  # fmt: skip

    @admin.display(description=gettext_lazy("suspicious"))
    def suspicion(self, app: App) -> str:
        likeness = app.likeness or ""  # type: ignore[attr-defined]  # annotated above
        found = app_registry.imitations(app, likeness, name=app.name)
        return "; ".join(str(SUSPICIONS[kind]) % {"name": likeness} for kind in found) or "-"

    @admin.display(description=gettext_lazy("names it gave itself"))
    def names(self, app: App) -> str:
        """`name` is the one that was seen first; the rest is what people may be shown."""
        given = Client.objects.filter(app=app).order_by("name").values_list("name", flat=True).distinct()
        return ", ".join(f"“{name}”" for name in given[:SHOWN] if name) or "-"

    @admin.display(description=gettext_lazy("who asked"))
    def requests(self, app: App) -> SafeString:
        """The newest, each with what the person wrote; nobody has checked who they say they are."""
        newest = app.requests.select_related("resource").order_by("-requested_at")[:SHOWN]
        lines = (
            (timezone.localtime(one.requested_at).strftime("%Y-%m-%d %H:%M"), one.resource.name,
             _("signed in as %s") % one.user_id if one.user_id else _("not signed in"), one.address or "", one.note)
            for one in newest
        )  # fmt: skip
        return format_html_join("", "<p>{} · {} · {} · {}<br>{}</p>", lines)

    def save_model(self, request: HttpRequest, obj: App, form: Any, change: bool) -> None:
        """The state is decided in the one way there is; the rest is just written.

        Decided once the rest is committed: Django saves a form in one transaction, in which a block would be seen by
        nobody until the last session has ended, and sessions go on being made meanwhile.
        """
        decided, obj.state = obj.state, form.stored_state
        super().save_model(request, obj, form, change)
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
        blocks = request.POST.get("state") == App.State.BLOCKED and self.has_change_permission(request)
        if blocks and (asked := threshold.ask_again(request)):
            return asked
        return super().changeform_view(request, object_id, form_url, extra_context)

    @admin.action(permissions=["change"], description=gettext_lazy("Approve selected apps"))
    def approve(self, request: HttpRequest, queryset: QuerySet[App]) -> None:
        self._decide(request, queryset[:AT_ONCE], App.State.APPROVED, "")

    @admin.action(permissions=["change"], description=gettext_lazy("Verify selected apps"))
    def verify(self, request: HttpRequest, queryset: QuerySet[App]) -> None:
        self._decide(request, queryset[:AT_ONCE], App.State.VERIFIED, "")

    @admin.action(permissions=["change"], description=gettext_lazy("Block selected apps, and end their sessions"))
    def block(self, request: HttpRequest, queryset: QuerySet[App]) -> HttpResponse | None:
        """The confirmation page first, which posts back here with a reason."""
        if asked := threshold.ask_again(request):
            return asked
        apps = list(queryset[:AT_ONCE])
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

    def _decide(self, request: HttpRequest, apps: Any, state: str, reason: str) -> None:
        decided, ended, refused = 0, 0, []
        for app in apps:
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
        if refused:
            words = _("Any program on a person's device can register under these names: approve them instead. %s")
            self.message_user(request, words % ", ".join(refused), messages.WARNING)
        if decided:
            words = ngettext("%(count)d app is %(state)s now.", "%(count)d apps are %(state)s now.", decided)
            said = words % {"count": decided, "state": App.State(state).label}
            if state == App.State.BLOCKED:
                said += " " + ngettext("%d token session ended.", "%d token sessions ended.", ended) % ended
            self.message_user(request, said, messages.SUCCESS)


def _count(grouped: QuerySet[Any, Any], what: str) -> Coalesce:
    """How many different ones, 0 for none."""
    counted = grouped.annotate(count=Count(what, distinct=True)).values("count")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ReadOnlyAdmin):
    """Without `parameters`: they hold the client's `state`."""

    list_display = ("requested_at", "app", "resource", "user_id", "note", "address", "expires_at")
    fields = (*list_display, "client_id")
    list_select_related = ("app", "resource")
    ordering = ("-expires_at",)
