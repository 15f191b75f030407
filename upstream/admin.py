"""Sign-ins at providers, shown. The providers themselves are edited in `authserver.console`, by the file's own rules.

social-auth's admin is put away: it offers `extra_data` for reading and editing.
"""

from __future__ import annotations

from django.contrib import admin
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

    list_display = ("created_at", "provider", "purpose", "outcome", "user_id", "expires_at", "claimed_at")
    fields = (*list_display, "scopes")
    list_display_links = None
    list_filter = ("purpose", "outcome")
    list_select_related = ("provider",)
    ordering = ("-expires_at",)
