"""People and operators. Deactivating a person ends every token session of theirs; forgetting them leaves nothing of them.

Whoever may change users must not thereby become somebody else: staff accounts, and who is staff, are a superuser's.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts import browser_sessions
from accounts.admin_base import ConsoleAdmin, actor
from accounts.models import User
from accounts.vault import vault
from authserver import cascade, erasure, receipts
from authserver.console import threshold
from authserver.console.sessions import EndsSessionsMixin, ReasonForm
from authserver.console.shown_once import AskedAgainMixin

AT_ONCE = 100
POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class PersonAdmin(EndsSessionsMixin, AskedAgainMixin, ConsoleAdmin, UserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Nobody is deleted here: a deactivated person's tokens are gone, and the audit trail still says whose they were.

    Forgetting needs the permission to delete users.
    """

    actions = ("forget",)
    personal = ("username", "name", "email")
    list_display = ("username", "email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    searched = ("id", "username", "email")
    ordering = ("username",)
    fieldsets = (
        (None, {"fields": ("id", "username", "name", "email", "has_password")}),
        (_("Access"), {"fields": ("is_active", *POWERS, "staff_from_upstream")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("id", "has_password", "staff_from_upstream", "last_login", "date_joined")

    @admin.display(boolean=True, description=_("has a password"))
    def has_password(self, person: User) -> bool:
        """People who sign in upstream have none. Not the hash, nor its first letters, as Django would show."""
        return person.has_usable_password()

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return self.readonly_fields if request.user.is_superuser else (*self.readonly_fields, *POWERS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and (obj.is_staff or obj.is_superuser) and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def asks(self, request: HttpRequest, object_id: str | None) -> bool:
        """A new person's form takes a password in, and a superuser's gives powers away."""
        return object_id is None or (request.method == "POST" and bool(request.user.is_superuser))

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 - Django's name for it
        """Somebody else's password is a secret taken in."""
        if self.has_change_permission(request) and (asked := threshold.ask_again(request)):
            return asked
        return super().user_change_password(request, id, form_url)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if {"is_staff", "is_superuser"}.intersection(form.changed_data):
            obj.staff_from_upstream = ""  # by hand from now on
        super().save_model(request, obj, form, change)
        if change and not obj.is_active and "is_active" in form.changed_data:
            browser_sessions.end_all(obj.pk)
            receipt = cascade.revoke_user(
                obj, reason="deactivated", actor=actor(request), address=self.address_of(request)
            )
            self.message_user(request, _("Deactivated; %d sessions ended.") % receipt.sessions)

    def has_forget_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.delete_user")

    @admin.action(permissions=["forget"], description=_("Forget selected people"))
    def forget(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """The confirmation page first, which posts back here with a reason. Operators are a superuser's."""
        if asked := threshold.ask_again(request):
            return asked
        people = [one for one in queryset[:AT_ONCE] if self.has_change_permission(request, one) and one != request.user]
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            tsids = [tsid for person in people for tsid in vault().sessions.of_user(person.pk)]
            context = {**self.admin_site.each_context(request), "title": gettext("Forget people"), "opts": self.opts,
                       "people": people, "preview": receipts.preview(tsids, now=timezone.now()),
                       "form": form}  # fmt: skip
            return TemplateResponse(request, "admin/forget_people.html", context)
        for person in people:
            erasure.forget(person, reason=form.cleaned_data["reason"], actor=actor(request),
                           address=self.address_of(request), now=timezone.now())  # fmt: skip
        said = ngettext("Forgot %d person.", "Forgot %d people.", len(people)) % len(people)
        self.message_user(request, said, messages.SUCCESS)
        return None
