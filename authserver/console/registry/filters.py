"""Choosing apps, and what belongs to one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from authserver.models import App, ApprovalRequest

MAX_DIGITS = 18


class QueueFilter(admin.SimpleListFilter):
    """Pending apps that somebody asked for, under whatever name."""

    title = gettext_lazy("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("asked", gettext_lazy("Somebody waits for it"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[App]) -> QuerySet[App]:
        if self.value() != "asked":
            return queryset
        asked_for = ApprovalRequest.objects.annotate(main=Coalesce("app__merged_into", "app")).values("main")
        return queryset.filter(state=App.State.PENDING, pk__in=asked_for)


class AppFilter(admin.SimpleListFilter):
    """What belongs to an app and its aliases. Offered where it is in use only: the registry links here, and there are too
    many apps to list."""

    title = gettext_lazy("app")
    parameter_name = "app"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        app = _app(request.GET.get("app", ""))
        return [(str(app.pk), str(app))] if app else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        app = _app(self.value() or "")
        return queryset.filter(app__in=App.together([app.pk])) if app else queryset


def keys(unverified: list[str], *, most: int) -> list[int]:
    """The first `most` of these that are primary keys, each once; what is none is left out."""
    found = (one for one in unverified if one.isascii() and one.isdigit() and len(one) < MAX_DIGITS)
    return list(dict.fromkeys(map(int, found)))[:most]


def _app(unverified_key: str) -> App | None:
    found = keys([unverified_key], most=1)
    return App.objects.filter(pk__in=found).first() if found else None
