"""Initial access tokens in the console: made and shown once, looked at, ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import audit
from accounts.admin_base import ConsoleAdmin, actor
from authserver.console.shown_once import AskedAgainMixin, shown_once
from authserver.models import InitialAccessToken
from authserver.registration.initial_tokens import MAX_DAYS, MAX_USES, give_token

LOCAL = "%Y-%m-%dT%H:%M"
"""How a browser writes what is chosen in an `<input type="datetime-local">`."""


class InitialAccessTokenForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    expires_at = forms.DateTimeField(
        label=gettext_lazy("Ends at (UTC)"),
        widget=forms.DateTimeInput(format=LOCAL, attrs={"type": "datetime-local", "class": "vTextField"}),
    )

    class Meta:
        model = InitialAccessToken
        fields = ("label", "max_uses", "expires_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "max_uses" in self.fields:  # not on the page that only shows
            self.fields["max_uses"].validators += [MinValueValidator(1), MaxValueValidator(MAX_USES)]
            self.fields["expires_at"].initial = (timezone.now() + timedelta(days=7)).replace(second=0, microsecond=0)

    def clean_expires_at(self) -> datetime:
        end: datetime = self.cleaned_data["expires_at"]
        if not timezone.now() < end <= timezone.now() + timedelta(days=MAX_DAYS):
            raise forms.ValidationError(_("Choose a moment within the next %d days.") % MAX_DAYS)
        return end


@admin.register(InitialAccessToken)
class InitialAccessTokenAdmin(AskedAgainMixin, ConsoleAdmin):
    form = InitialAccessTokenForm
    list_display = ("label", "uses", "max_uses", "created_at", "expires_at", "revoked_at")
    ordering = ("-id",)
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: InitialAccessToken | None = None) -> tuple[str, ...]:
        return ("label", "max_uses", "expires_at") if obj is None else self.list_display

    def has_change_permission(self, request: HttpRequest, obj: InitialAccessToken | None = None) -> bool:
        """The list's action needs it; a row is made and ended, and not edited."""
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: InitialAccessToken | None = None) -> bool:
        """Revoked instead; maintenance deletes it after its end."""
        return False

    def save_model(self, request: HttpRequest, obj: InitialAccessToken, form: Any, change: bool) -> None:
        obj.created_at = timezone.now()
        request.shown_once = give_token(obj)  # type: ignore[attr-defined]  # from here to the answer, and no further
        super().save_model(request, obj, form, change)

    def response_add(
        self, request: HttpRequest, obj: InitialAccessToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        token: str = request.shown_once  # type: ignore[attr-defined]
        return shown_once(self, request, obj, {"initial_access_token": token})

    @admin.action(permissions=["change"], description=gettext_lazy("Revoke selected initial access tokens"))
    def revoke(self, request: HttpRequest, queryset: QuerySet[InitialAccessToken]) -> None:
        """Nobody registers with them any more; who has registered stays."""
        live = list(queryset.filter(revoked_at=None).values_list("pk", flat=True))
        for key in live:
            audit.record(
                "registration.token_revoked", actor=actor(request), address=self.address_of(request), token=str(key)
            )
        InitialAccessToken.objects.filter(pk__in=live).update(revoked_at=timezone.now())
        words = ngettext("Revoked %d token.", "Revoked %d tokens.", len(live)) % len(live)
        self.message_user(request, words, messages.SUCCESS)
