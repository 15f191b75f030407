"""Secrets that we make for others: shown on the answer that made them, and never again.

The page is the POST's own answer. A redirect with a message would put the secret into a cookie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _

from accounts.admin_base import ConsoleAdmin, row_for
from authserver.console import threshold
from authserver.hashers import hash_secret, new_secret

if TYPE_CHECKING:
    Base = ConsoleAdmin
else:
    Base = object


class AskedAgainMixin(Base):
    """For rows whose making, and whose saving, may give a secret or a power away, or take a secret in."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        allowed = self.has_add_permission(request) if object_id is None else self.has_change_permission(request)
        if allowed and self.asks(request, object_id) and (asked := threshold.ask_again(request)):
            return asked
        return super().changeform_view(request, object_id, form_url, extra_context)

    def asks(self, request: HttpRequest, object_id: str | None) -> bool:
        """Whether this request is one that a fresh proof is asked for; for a form alone, where it takes a secret in."""
        return object_id is None or request.method == "POST"


class ShownOnceMixin(AskedAgainMixin):
    """For rows with a hashed `client_secret`: a secret with the new row, and a page that replaces it."""

    change_form_template = "admin/new_secret_change_form.html"

    def has_secret(self, obj: Any) -> bool:
        """Whether this row authenticates with one."""
        return True

    def needs_another(self, form: Any) -> bool:
        """Whether what was typed makes the stored secret a wrong one."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change or self.needs_another(form):
            self._give_secret(request, obj)
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._shown(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._shown(request, obj) or super().response_change(request, obj)

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_new_secret"
        view = self.admin_site.admin_view(self.new_secret_view)
        return [path("<path:object_id>/new-secret/", view, name=name), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = kwargs.get("obj")
        context["offers_new_secret"] = obj and self.has_change_permission(request, obj) and self.has_secret(obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def new_secret_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET asks, POST replaces the secret; the old one stops working at once."""
        obj = row_for(self, request, object_id, allowed=self.has_change_permission(request))
        if not self.has_secret(obj):
            raise Http404
        if asked := threshold.ask_again(request):
            return asked
        if request.method == "POST":
            with transaction.atomic():
                self._give_secret(request, obj)
                obj.save(update_fields=["client_secret"])
                self.log_change(request, obj, [{"changed": {"fields": ["client_secret"]}}])
            answer = self._shown(request, obj)
            if answer is not None:
                return answer
        context = {**self.admin_site.each_context(request), "title": _("New secret"), "opts": self.opts, "object": obj}
        return TemplateResponse(request, "admin/new_secret.html", context)

    def _give_secret(self, request: HttpRequest, obj: Any) -> None:
        """A public client's is known to nobody: an empty one would authenticate."""
        secret = new_secret()
        obj.client_secret = hash_secret(secret)
        if self.has_secret(obj):
            request.shown_once = secret  # type: ignore[attr-defined]  # from here to the answer, and no further

    def _shown(self, request: HttpRequest, obj: Any) -> HttpResponse | None:
        secret = getattr(request, "shown_once", None)
        if secret is None:
            return None
        return shown_once(self, request, obj, {"client_id": obj.client_id, "client_secret": secret})


def shown_once(model_admin: ConsoleAdmin, request: HttpRequest, obj: Any, shown: dict[str, str]) -> HttpResponse:
    """The page that shows what nobody can look up again; `shown` by the names that clients know."""
    opts = model_admin.opts
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Copy this secret now"),
        "opts": opts,
        "object": obj,
        "shown": shown,
        "back": reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"),
    }
    response = TemplateResponse(request, "admin/shown_once.html", context)
    response["Cache-Control"] = "no-store"
    return response
