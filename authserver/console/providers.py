"""Upstream providers, edited by the configuration file's own rules. The secret goes in and never comes out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ConsoleAdmin
from authserver.configuration import secrets, upstreams
from authserver.configuration.reading import Fields
from authserver.console import provider_connection
from authserver.console.exam import examine
from authserver.console.shown_once import AskedAgainMixin
from upstream import identities, providers
from upstream.models import Provider

JSON = ("scopes", "identity", "allow", "authorization_params", "api_resources")
SECRET = ("client_secret_sealed", "client_secret_source")
KEPT = (
    "display_name",
    "type",
    "client_id",
    "sign_in",
    "issuer",
    "subject_claim",
    *upstreams.ENDPOINTS,
    "token_endpoint_auth_method",
    *JSON,
    "on_session_end",
    "allow_private_network",
)


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    new_client_secret = forms.CharField(
        label=_("new client secret"),
        required=False,
        max_length=secrets.MAX_LENGTH,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Empty: the stored one stays."),
    )

    class Meta:
        model = Provider
        fields = ("name", "enabled", *KEPT)
        widgets = {
            **{name: forms.Textarea(attrs={"rows": 3, "cols": 80}) for name in JSON},
            "token_endpoint_auth_method": forms.Select(
                choices=[("", "---"), *((m, m) for m in upstreams.AUTH_METHODS)]
            ),
        }

    def clean(self) -> dict[str, Any]:
        typed = {**super().clean(), **self.cleaned_data}  # type: ignore[dict-item]  # never None: ours
        new = self.instance.pk is None
        entry = {name: typed.get(name) for name in ("name", *KEPT) if name in self.fields}
        values = examine(self, entry, _read)
        if values is None:
            return typed
        if not new and (moved := identities.moved(self.stored(), values)):
            self.add_error(moved, _("People are connected with it: give the new one another name."))
        public = values["token_endpoint_auth_method"] == upstreams.PUBLIC
        if not public and not typed.get("new_client_secret") and not self.instance.client_secret_sealed:
            self.add_error("new_client_secret", _("It needs one, unless its authentication method is none."))
        return {**typed, **values}

    def stored(self) -> Provider:
        """The row as it is, whatever has been typed."""
        return Provider.objects.get(pk=self.instance.pk)


def _read(entry: Fields) -> dict[str, Any]:
    if "name" in entry.table.entries:
        entry.text("name", longest=32, check=upstreams.name)
    return upstreams.values(entry)


@admin.register(Provider)
class ProviderAdmin(AskedAgainMixin, ConsoleAdmin):
    form = ProviderForm
    list_display = ("name", "type", "enabled", "sign_in", "client_secret_source", "updated_at")
    list_filter = ("type", "enabled")
    searched = ("name",)
    readonly_fields = ("callback", "client_secret_source", "created_at", "updated_at")
    fields = ("name", "enabled", "callback", *KEPT, "new_client_secret", *readonly_fields[1:])
    actions = None
    change_form_template = "admin/provider_change_form.html"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.test_connection_view)
        return [
            path("<path:object_id>/test-connection/", view, name="upstream_provider_test_connection"),
            *super().get_urls(),
        ]

    def test_connection_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return provider_connection.show(self, request, object_id)

    @admin.display(description=_("callback to register there"))
    def callback(self, provider: Provider) -> str:
        return providers.callback_url(provider) if provider.pk else str(_("is here once it has a name"))

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> tuple[str, ...]:
        """The name is part of what the secret is sealed to, and of everybody's identity there."""
        return self.readonly_fields if obj is None else ("name", *self.readonly_fields)

    def has_delete_permission(self, request: HttpRequest, obj: Provider | None = None) -> bool:
        """Disabled instead. `apply_config --prune` removes one that nobody is connected with."""
        return False

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        secret = form.cleaned_data["new_client_secret"]
        if obj.token_endpoint_auth_method == upstreams.PUBLIC:
            providers.set_client_secret(obj, "", "")
        elif secret:
            providers.set_client_secret(obj, secret, "console")
        elif change:  # the stored one stays, also where it was sealed anew since this form was read
            columns = {field.name for field in obj._meta.concrete_fields} - {"id", *SECRET}
            obj.save(update_fields=columns)
            return
        super().save_model(request, obj, form, change)
