"""What we keep, shown: credentials, links, receipts of revocations and tallies. People and sessions are
`authserver.console`'s, because what an operator does to them ends tokens; so is the audit trail, which names clients.
"""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import ReadOnlyAdmin
from accounts.models import AuditTally, Credential, Link, Revocation, SealedCount


@admin.register(Credential)
class CredentialAdmin(ReadOnlyAdmin):
    """What may be known of a credential without opening it. The sealed tokens appear nowhere."""

    list_display = ("id", "user", "provider", "subject", "state", "expires_at", "refreshed_at")
    fields = (
        *list_display,
        "scope",
        "version",
        "dead_reason",
        "refreshable",
        "refresh_expires_at",
        "lease_until",
        "created_at",
        "signed_in_at",
        "unlinked_at",
    )
    searched = ("id", "user__id", "user__username", "user__email")
    list_filter = ("state",)
    list_select_related = ("user",)
    ordering = ("-id",)


@admin.register(Link)
class LinkAdmin(ReadOnlyAdmin):
    list_display = ("id", "session", "credential", "provider", "scope")
    fields = list_display
    searched = ("session__tsid", "credential__id")
    list_select_related = ("session", "credential")
    ordering = ("-id",)


@admin.register(Revocation)
class RevocationAdmin(ReadOnlyAdmin):
    """What providers were told, or are to be told. The sealed tokens appear nowhere."""

    list_display = ("queued_at", "provider", "state", "outcome", "attempts", "due_at", "finished_at", "user_id")
    fields = (*list_display, "id", "subject", "tsid")
    searched = ("id", "user_id", "tsid")
    list_filter = ("state",)
    ordering = ("-queued_at", "-id")


@admin.register(AuditTally)
class AuditTallyAdmin(ReadOnlyAdmin):
    """What the charts of the first page are drawn from."""

    list_display = ("hour", "sign_ins", "exchanges")
    fields = list_display
    ordering = ("-hour",)


@admin.register(SealedCount)
class SealedCountAdmin(ReadOnlyAdmin):
    """What the numbers of the vault keys' page are read from."""

    list_display = ("column", "by_key", "counted_at")
    fields = list_display
    ordering = ("column",)
