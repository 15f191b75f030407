"""Vault keys: what each is to this process, what it seals, and how far a turn of `rotate_vault_key` is.

Never a key, nor what one is checked by. The values were counted by `accounts.vault.sealed_counts`: no page reads them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin_base import ReadOnlyAdmin
from accounts.models import AuditEvent, SealedCount, VaultKey
from accounts.vault.sealing import sealing, sealing_key_id

TURNS = ("vault.rotation_began", "vault.rotation_ended")


@dataclass(frozen=True)
class Counted:
    """A column in words, when it was counted, and how many of its values each key sealed, in the order of the keys."""

    words: str
    at: Any
    values: list[int]


@admin.register(VaultKey)
class VaultKeyAdmin(ReadOnlyAdmin):
    list_display = ("id", "standing", "first_used_at", "retired_at")
    fields = list_display
    ordering = ("-first_used_at",)
    change_list_template = "admin/vault_key_change_list.html"

    @admin.display(description=gettext_lazy("here"))
    def standing(self, key: VaultKey) -> str:
        """What it is to the process that draws the page; another host may be configured otherwise."""
        if key.id == sealing_key_id():
            return _("seals what is written")
        if key.id in sealing().prefixes:
            return _("opens what it sealed")
        return _("not configured, and not needed") if key.retired_at else _("missing from the configuration")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Four statements beside the list's."""
        counts = list(SealedCount.objects.order_by("column"))
        key_ids = list(VaultKey.objects.order_by("-first_used_at").values_list("pk", flat=True))
        used = {key_id for count in counts for key_id in count.by_key}
        key_ids = [key_id for key_id in key_ids if key_id in used] + ([""] if "" in used else [])
        columns = [
            Counted(_words(count.column), count.counted_at, [count.by_key.get(key_id, 0) for key_id in key_ids])
            for count in counts
        ]
        total = sum(sum(column.values) for column in columns)
        done = sum(count.by_key.get(sealing_key_id(), 0) for count in counts)
        context = {
            "key_ids": key_ids,
            "columns": columns,
            "totals": [sum(column.values[index] for column in columns) for index in range(len(key_ids))],
            "total": total,
            "done": done,
            "percent": 100 * done // total if total else 100,
            "first": sealing_key_id(),
            "turn": AuditEvent.objects.filter(event__in=TURNS).order_by("-at", "-id").first(),
        }
        return super().changelist_view(request, {**(extra_context or {}), **context})


def _words(column: str) -> str:
    """The rows that the column `app.Model.field` belongs to, as the console calls them: none has two such columns."""
    app, model, _field = column.split(".")
    return str(apps.get_model(app, model)._meta.verbose_name_plural)
