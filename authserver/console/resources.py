"""Resources, the upstreams they need, and the resource servers that may read the vault for them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin_base import ConsoleAdmin, ReadOnlyAdmin
from authserver.configuration import resources, shapes
from authserver.configuration.reading import Fields
from authserver.console import connecting
from authserver.console.exam import examine
from authserver.console.sessions import EndsSessionsMixin
from authserver.console.shown_once import ShownOnceMixin
from authserver.models import Resource, ResourceServer, ResourceUpstream
from authserver.resources import canonical

JSON = ("scopes", "default_scopes", "allow", "claims")
KEPT = ("name", "default", "access_token_lifetime_seconds", *JSON)
SHOWN = 20
FILE_KEYS = {"access_token_lifetime_seconds": "access_token_lifetime"}


class ResourceForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    class Meta:
        model = Resource
        fields = ("identifier", "enabled", *KEPT, "registration_mode")
        widgets = {name: forms.Textarea(attrs={"rows": 3, "cols": 80}) for name in JSON}

    def clean(self) -> dict[str, Any]:
        typed = {**super().clean(), **self.cleaned_data}  # type: ignore[dict-item]  # never None: ours
        values = examine(self, self._entry(typed), self._read, fields={key: name for name, key in FILE_KEYS.items()})
        return typed if values is None else {**typed, **values}

    def _entry(self, typed: dict[str, Any]) -> dict[str, Any]:
        """What was typed, as an entry of the file."""
        entry = {FILE_KEYS.get(name, name): typed.get(name) for name in ("identifier", *KEPT) if name in self.fields}
        if mode := typed.get("registration_mode"):
            entry["registration"] = {"mode": mode}
        return entry

    def _read(self, entry: Fields) -> dict[str, Any]:
        identifier = entry.text("identifier", longest=2048, check=resources.identifier)
        if identifier:
            self.instance.canonical = canonical(identifier)
            if Resource.objects.filter(canonical=self.instance.canonical).exclude(pk=self.instance.pk).exists():
                entry.problem("identifier", "names a resource that exists already", "edit that one")
        return resources.values(entry)


class NeededUpstreamForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    class Meta:
        model = ResourceUpstream
        fields = ("provider", "scopes", "required", "position")
        widgets = {"scopes": forms.Textarea(attrs={"rows": 1, "cols": 40})}

    def clean(self) -> dict[str, Any]:
        typed = {**super().clean(), **self.cleaned_data}  # type: ignore[dict-item]  # never None: ours
        entry = {"scopes": typed.get("scopes")}
        scopes = examine(self, entry, lambda fields: fields.texts("scopes", check=shapes.scope))
        return {**typed, "scopes": list(scopes or ())}


class NeededUpstreams(admin.StackedInline):  # type: ignore[type-arg]  # generic in the stubs only
    model = ResourceUpstream
    form = NeededUpstreamForm
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[ResourceUpstream]:
        return super().get_queryset(request).select_related("resource", "provider")


@admin.register(Resource)
class ResourceAdmin(EndsSessionsMixin, ConsoleAdmin):
    form = ResourceForm
    inlines = (NeededUpstreams,)
    list_display = ("name", "identifier", "default", "enabled")
    list_filter = ("enabled",)
    searched = ("identifier", "canonical")
    actions = None
    change_form_template = "admin/resource_change_form.html"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.connect_view)
        return [path("<path:object_id>/connect/", view, name="authserver_resource_connect"), *super().get_urls()]

    def connect_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return connecting.show(self, request, object_id)

    def get_fields(self, request: HttpRequest, obj: Resource | None = None) -> tuple[str, ...]:
        fields = ("identifier", "enabled", *KEPT, "registration_mode")
        return fields if obj is None else (*fields, "exchanged_by")

    def get_readonly_fields(self, request: HttpRequest, obj: Resource | None = None) -> tuple[str, ...]:
        """The identifier is the `aud` of tokens that are out there."""
        return () if obj is None else ("identifier", "exchanged_by")

    @admin.display(description=gettext_lazy("resource servers that may exchange its tokens"))
    def exchanged_by(self, resource: Resource) -> str:
        """Each with a link to its page, where its resources are chosen; the first twenty."""
        servers = resource.resource_servers.order_by("client_id")[:SHOWN]
        disabled = _("(disabled)")
        links = (
            (reverse("admin:authserver_resourceserver_change", args=[server.pk]), server.client_id,
             "" if server.enabled else f" {disabled}")
            for server in servers
        )  # fmt: skip
        return format_html_join(", ", '<a href="{}">{}</a>{}', links) or _(
            "none yet: add one, and give it this resource"
        )

    def has_delete_permission(self, request: HttpRequest, obj: Resource | None = None) -> bool:
        """Disabled instead: sessions and consents hang on it. `apply_config --prune` removes one, and ends them."""
        return False

    def save_model(self, request: HttpRequest, obj: Resource, form: Any, change: bool) -> None:
        if obj.default:
            Resource.objects.filter(default=True).exclude(pk=obj.pk).update(default=False)
        super().save_model(request, obj, form, change)


@admin.register(ResourceUpstream)
class ResourceUpstreamAdmin(ReadOnlyAdmin):
    list_display = ("id", "resource", "provider", "scopes", "required", "position")
    fields = list_display
    list_select_related = ("resource", "provider")
    ordering = ("id",)


class ResourceServerForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    class Meta:
        model = ResourceServer
        fields = ("client_id", "name", "enabled", "resources")

    def clean_client_id(self) -> str:
        client_id = str(self.cleaned_data["client_id"])
        if wrong := shapes.client_id(client_id):
            raise forms.ValidationError(wrong)
        return client_id


@admin.register(ResourceServer)
class ResourceServerAdmin(ShownOnceMixin, ConsoleAdmin):
    form = ResourceServerForm
    list_display = ("client_id", "name", "enabled", "created_at")
    list_filter = ("enabled",)
    searched = ("client_id",)
    fields = ("client_id", "name", "enabled", "resources")
    filter_horizontal = ("resources",)
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: ResourceServer | None = None) -> tuple[str, ...]:
        return () if obj is None else ("client_id",)

    def has_delete_permission(self, request: HttpRequest, obj: ResourceServer | None = None) -> bool:
        """Disabled instead, like everything that the configuration file may hold."""
        return False
