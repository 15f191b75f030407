"""Sign-ins at providers, shown. The providers themselves are edited in `authserver.console`, by the file's own rules.

social-auth's admin is put away: it offers `extra_data` for reading and editing.
"""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from social_django.models import Association, Nonce, UserSocialAuth

from accounts.admin_base import ReadOnlyAdmin
from upstream.models import Visit

for model in (UserSocialAuth, Nonce, Association):
    admin.site.unregister(model)


@admin.register(UserSocialAuth)
class IdentityAdmin(ReadOnlyAdmin):
    """Whom a provider's subject is with us."""

    list_display = ("id", "user", "provider", "uid", "created", "modified")
    fields = list_display
    searched = ("uid", "user__id", "user__username", "user__email")
    list_select_related = ("user",)
    ordering = ("-id",)


@admin.register(Visit)
class VisitAdmin(ReadOnlyAdmin):
    """A row is named by the hash of its `state`, so no link leads to one."""

    list_display = ("created_at", "leads_to", "purpose", "outcome", "reason", "user_id", "expires_at", "claimed_at")
    list_display_links = None
    fields = ("created_at", "provider", "purpose", "outcome", "reason", "user_id", "expires_at", "claimed_at", "scopes")
    list_filter = ("purpose", "outcome")
    list_select_related = ("provider",)
    ordering = ("-expires_at",)

    @admin.display(description=_("provider"))
    def leads_to(self, visit: Visit) -> str:
        page = reverse("admin:upstream_provider_change", args=[visit.provider_id])
        return format_html('<a href="{}">{}</a>', page, visit.provider)
