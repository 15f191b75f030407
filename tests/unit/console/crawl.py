"""Every address of the console: read from its own URL patterns, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.urls import URLPattern, URLResolver

from tests.unit.console.conftest import Everything

ROOT = f"/{settings.ADMIN_PATH}"
OPEN = {f"{ROOT}login/"}  # for whoever wants to come in
OWN = {
    ROOT,
    f"{ROOT}logout/",
    f"{ROOT}password_change/",
    f"{ROOT}password_change/done/",
    f"{ROOT}jsi18n/",
    f"{ROOT}authenticator/",
    f"{ROOT}confirm/",
}
"""For whoever is staff, whatever else they may do."""


def model_urls(everything: Everything) -> list[str]:
    """The pages of each registered model: its lists, its forms, one row's pages and what we added to those."""
    found: list[str] = []
    for model, model_admin in admin.site._registry.items():
        base = f"{ROOT}{model._meta.app_label}/{model._meta.model_name}/"
        key = str(quote(everything.of(model).pk))
        routes = _routes(model_admin.urls)
        found.extend(base + route.replace("<path:object_id>", key).replace("<id>", key) for route in routes)
    return found


def site_urls(everything: Everything) -> list[str]:
    """Everything else: the index, each app's, the autocomplete, what is not there."""
    apps = {model._meta.app_label for model in admin.site._registry}
    names = [
        *OPEN,
        *OWN,
        f"{ROOT}autocomplete/",
        f"{ROOT}doctor/",
        f"{ROOT}trace/",
        f"{ROOT}r/1/1/",
        f"{ROOT}nothing/here/",
    ]
    return [*names, *(f"{ROOT}{app}/" for app in sorted(apps))]


def _routes(patterns: Sequence[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        route = str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from (route + rest for rest in _routes(pattern.url_patterns))
        else:
            yield route
