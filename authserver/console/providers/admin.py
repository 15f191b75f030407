"""The pages of upstream providers: the list with each one's health, the choice of a type, its form, and two tests."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin_base import ConsoleAdmin
from authserver.configuration import upstreams
from authserver.console import threshold
from authserver.console.home import health
from authserver.console.providers import connection, secret, sign_in_test
from authserver.console.providers.form import ProviderForm, beginning, shown
from authserver.console.providers.guides import GUIDES
from authserver.console.providers.in_list import HEALTH, Columns, ProviderList
from authserver.console.sessions import EndsSessionsMixin
from authserver.console.shown_once import AskedAgainMixin
from upstream import providers
from upstream.models import Provider


def chosen(request: HttpRequest) -> str | None:
    """The type of the provider that is being added."""
    kind = request.GET.get("type") or request.POST.get("type")
    return kind if kind in GUIDES else None


@admin.register(Provider)
class ProviderAdmin(Columns, EndsSessionsMixin, AskedAgainMixin, ConsoleAdmin):
    form = ProviderForm
    list_filter = ("type", "enabled")
    searched = ("name",)
    readonly_fields = ("kind", "callback", "client_secret", "created_at", "updated_at")
    actions = None
    change_form_template = "admin/provider_change_form.html"

    class Media:
        css = {"all": ("console-providers.css",)}

    def get_urls(self) -> list[Any]:
        def page(slug: str, view: Any) -> Any:
            name = f"upstream_provider_{slug.replace('-', '_')}"
            return path(f"<path:object_id>/{slug}/", self.admin_site.admin_view(view), name=name)

        tests = [page("test-connection", self.test_connection_view), page("test-sign-in", self.test_sign_in_view)]
        return [*tests, *super().get_urls()]

    def test_connection_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return connection.show(self, request, object_id)

    def test_sign_in_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return sign_in_test.show(self, request, object_id)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ProviderList

    # --- Adding: the type first, then the form for it -----------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if chosen(request) is not None:
            return super().add_view(request, form_url, extra_context)
        if not self.has_add_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": _("Add a provider: which type?"),
            "opts": self.opts,
            "guides": GUIDES.values(),
            "media": self.media,
        }
        return threshold.ask_again(request) or TemplateResponse(request, "admin/provider_types.html", context)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The type's own, and nothing of the address: a link must not fill in where people and secrets are sent."""
        return beginning(str(chosen(request)))

    def response_add(self, request: HttpRequest, obj: Provider, post_url_continue: str | None = None) -> HttpResponse:
        """To its own page, where it can be tested."""
        if "_addanother" in request.POST or not self.has_view_or_change_permission(request, obj):
            return super().response_add(request, obj, post_url_continue)
        words = _("%(provider)s was added. Register its callback, test it, then switch it on.") % {"provider": obj}
        self.message_user(request, words, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:upstream_provider_change", args=[obj.pk]))

    # --- The form -----------------------------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Provider | None = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.kind = obj.type if obj else str(chosen(request))
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Provider | None = None) -> Any:
        needs, may = shown(obj.type if obj else str(chosen(request)), obj)
        types_secret = obj is None or self.has_change_permission(request, obj)
        there = [
            "callback",
            *(name for name in needs if name != "identity"),
            "client_id",
            *(["client_secret"] if obj else []),
        ]
        people = ["sign_in", "allow", *(name for name in needs if name == "identity")]
        more = [*may, "token_endpoint_auth_method", "authorization_params", "allow_private_network"]
        return [
            (None, {"fields": ["kind", "name", "display_name", "enabled"]}),
            (_("At the provider"), {"fields": [*there, *(["new_client_secret"] if types_secret else [])]}),
            (_("People"), {"fields": people}),
            (_("Tokens"), {"fields": ["scopes", "api_resources", "on_session_end"]}),
            (_("More"), {"fields": [*more, *(["created_at", "updated_at"] if obj else [])], "classes": ["collapse"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> tuple[str, ...]:
        """The name is part of what the secret is sealed to, and of everybody's identity there."""
        return self.readonly_fields if obj is None else ("name", *self.readonly_fields)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj: Provider | None = kwargs.get("obj")
        context["guide"] = GUIDES[obj.type if obj else str(chosen(request))]
        if obj is not None:
            context["file_says"] = secret.file_says(obj)
            context["offers_sign_in_test"] = self.has_change_permission(request, obj)
            if request.user.has_perm(HEALTH):
                now = timezone.now()
                context["health"] = next(health.rows(health.upstreams([obj], now=now), now=now), None)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=gettext_lazy("type"))
    def kind(self, provider: Provider) -> str:
        return str(Provider.Type(provider.type).label)

    @admin.display(description=gettext_lazy("callback to register there"))
    def callback(self, provider: Provider) -> SafeString:
        if provider.pk:
            return format_html('<code class="provider-copy">{}</code>', providers.callback_url(provider))
        example = f"{settings.ISSUER}{providers.CALLBACK_PATH}/NAME"
        return format_html(_("{}, with the name from above for NAME"), format_html("<code>{}</code>", example))

    @admin.display(description=gettext_lazy("client secret"))
    def client_secret(self, provider: Provider) -> str:
        return secret.in_words(provider)

    def has_delete_permission(self, request: HttpRequest, obj: Provider | None = None) -> bool:
        """Disabled instead. `apply_config --prune` removes one that nobody is connected with."""
        return False

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        typed = form.cleaned_data["new_client_secret"]
        if obj.token_endpoint_auth_method == upstreams.PUBLIC:
            providers.set_client_secret(obj, "", "")
        elif typed:
            providers.set_client_secret(obj, typed, secret.TYPED)
        elif change:  # the stored one stays, also where it was sealed anew since this form was read
            columns = {field.name for field in obj._meta.concrete_fields} - {"id", *providers.SECRET_COLUMNS}
            obj.save(update_fields=columns)
            return
        super().save_model(request, obj, form, change)
