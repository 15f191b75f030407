"""Clients in the console: static ones are made and edited here; self-registered ones are looked at, limited, stopped."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from oauth2_provider.generators import generate_client_id

from accounts import audit
from accounts.admin_base import ConsoleAdmin, actor
from authserver.client_metadata import AUTH_METHODS, PUBLIC
from authserver.configuration import shapes
from authserver.configuration.callers import client_values
from authserver.console.exam import examine
from authserver.console.registry.filters import AppFilter
from authserver.console.sessions import EndsSessionsMixin
from authserver.console.shown_once import ShownOnceMixin
from authserver.models import Client

ITS_OWN = ("name", "redirect_uris", "token_endpoint_auth_method")


class ClientForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """What a client says of itself can be typed for static clients only; the others' fields are not on the form."""

    class Meta:
        model = Client
        fields = (*ITS_OWN, "allowed_scopes")
        widgets = {
            "redirect_uris": forms.Textarea(attrs={"rows": 4, "cols": 80}),
            "allowed_scopes": forms.Textarea(attrs={"rows": 2, "cols": 80}),
            "token_endpoint_auth_method": forms.Select(choices=[(method, method) for method in AUTH_METHODS]),
        }
        help_texts = {"redirect_uris": gettext_lazy("One a line.")}

    def clean(self) -> dict[str, Any]:
        typed = {**super().clean(), **self.cleaned_data}  # type: ignore[dict-item]  # never None: ours
        entry = {**typed, "scopes": typed["allowed_scopes"].split()}
        names = {"scopes": "allowed_scopes"}
        if "name" not in self.fields:
            examine(self, entry, lambda fields: fields.texts("scopes", check=shapes.scope), fields=names)
            return typed
        entry["redirect_uris"] = typed.get("redirect_uris", "").split()
        values = examine(self, entry, client_values, fields=names) or {}
        for name in ("client_type", "authorization_grant_type", "grant_types"):
            setattr(self.instance, name, values.get(name, getattr(self.instance, name)))
        return {**typed, **{name: values[name] for name in self.fields if name in values}}


class ClientAdmin(EndsSessionsMixin, ShownOnceMixin, ConsoleAdmin):
    """Secrets and registration tokens are hashes here, and shown nowhere."""

    form = ClientForm
    list_display = (
        "__str__",
        "client_id",
        "app",
        "registration_source",
        "token_endpoint_auth_method",
        "created",
        "disabled_at",
    )
    list_filter = (AppFilter, "registration_source")
    list_select_related = ("app",)
    searched = ("client_id",)
    ordering = ("-id",)
    actions = ("disable", "enable")

    def get_fields(self, request: HttpRequest, obj: Client | None = None) -> tuple[str, ...]:
        if obj is None:
            return (*ITS_OWN, "allowed_scopes")
        seen = ("grant_types", "registered_scope", "metadata", "registration_source", "registration_address")
        dates = ("created", "updated", "disabled_at", "cimd_fetched_at", "cimd_expires_at")
        return ("client_id", "app", *ITS_OWN, "allowed_scopes", "vouched_for", *seen, *dates)

    def get_readonly_fields(self, request: HttpRequest, obj: Client | None = None) -> tuple[str, ...]:
        editable = {"allowed_scopes"}
        if obj is None or obj.registration_source == Client.RegistrationSource.MANUAL:
            editable |= set(ITS_OWN)
        return tuple(name for name in self.get_fields(request, obj) if name not in editable)

    def has_delete_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        """Disabled instead: its sessions and consents hang on the row. `apply_config --prune` removes static ones."""
        return False

    def has_secret(self, obj: Client) -> bool:
        return not obj.is_public and obj.registration_source == Client.RegistrationSource.MANUAL

    def needs_another(self, form: Any) -> bool:
        before, after = (source.get("token_endpoint_auth_method") for source in (form.initial, form.cleaned_data))
        return after is not None and before != after and PUBLIC in (before, after)

    def save_model(self, request: HttpRequest, obj: Client, form: Any, change: bool) -> None:
        if not change:
            obj.client_id = generate_client_id()
        super().save_model(request, obj, form, change)

    def has_switch_permission(self, request: HttpRequest) -> bool:
        """To stop a client, and to let it go on, is less than to change what it may do."""
        return request.user.has_perm("authserver.switch_client") or request.user.has_perm("authserver.change_client")

    @admin.action(permissions=["switch"], description=gettext_lazy("Disable selected clients"))
    def disable(self, request: HttpRequest, queryset: QuerySet[Client]) -> None:
        """At once, for every endpoint; sessions are frozen, not ended, so that enabling is a way back."""
        stopped = self._switch(request, queryset.filter(disabled_at=None), "client.disabled")
        self.message_user(request, _("Disabled %d clients.") % stopped, messages.SUCCESS)

    @admin.action(permissions=["switch"], description=gettext_lazy("Enable selected clients"))
    def enable(self, request: HttpRequest, queryset: QuerySet[Client]) -> None:
        started = self._switch(request, queryset.exclude(disabled_at=None), "client.enabled")
        self.message_user(request, _("Enabled %d clients.") % started, messages.SUCCESS)

    def _switch(self, request: HttpRequest, queryset: QuerySet[Client], event: str) -> int:
        disabled_at = timezone.now() if event == "client.disabled" else None
        client_ids = list(queryset.values_list("client_id", flat=True))
        for client_id in client_ids:
            audit.record(event, actor=actor(request), client_id=client_id, address=self.address_of(request))
        switched: int = Client.objects.filter(client_id__in=client_ids).update(disabled_at=disabled_at)
        return switched
