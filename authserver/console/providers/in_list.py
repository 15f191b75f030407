"""The list of providers: each with its health of the last day, and where its secret comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ConsoleAdmin
from authserver.console.home import health
from authserver.console.providers import secret
from upstream.models import Provider

if TYPE_CHECKING:
    Base = ConsoleAdmin
else:
    Base = object

HEALTH = "accounts.view_auditevent"
"""It is read from the trail."""
NOTHING = "-"
HEALTH_COLUMNS = ("state", "last_sign_in", "last_error")


class ProviderList(ChangeList):
    """Each row of a page with its `health`: as many statements for fifty as for one."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not request.user.has_perm(HEALTH):
            return
        rows: list[Any] = list(self.result_list)
        now = timezone.now()
        known = {row.upstream.key: row for row in health.rows(health.upstreams(rows, now=now), now=now)}
        for row in rows:
            row.health = known.get(row.pk)
        self.result_list = rows


class Columns(Base):
    list_display = ("name", "type", "enabled", *HEALTH_COLUMNS, "secret_from")

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        may = request.user.has_perm(HEALTH)
        return tuple(column for column in self.list_display if may or column not in HEALTH_COLUMNS)

    @admin.display(description=_("state"))
    def state(self, provider: Any) -> str:
        row: health.Row = provider.health
        return format_html('<strong class="provider-failing">{}</strong>', row.state) if row.failing else row.state

    @admin.display(description=_("last sign-in"))
    def last_sign_in(self, provider: Any) -> str:
        at = provider.health.upstream.signed_in_at
        return date_format(at, "DATETIME_FORMAT") if at else NOTHING

    @admin.display(description=_("last error"))
    def last_error(self, provider: Any) -> str:
        row: health.Row = provider.health
        if not row.error or row.upstream.failed_at is None:
            return NOTHING
        when = date_format(row.upstream.failed_at, "DATETIME_FORMAT")
        return format_html('<a href="{}">{}</a> {}', row.errors_url, when, row.error)

    @admin.display(description=_("secret from"))
    def secret_from(self, provider: Provider) -> str:
        return secret.origin(provider)
