"""An operator who tests a sign-in: presses the button, goes to the provider, comes back to our callback."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.test import Client as Http

from tests.unit.console.crawl import ROOT
from upstream import http as outbound
from upstream.models import Provider


def page(provider: Provider) -> str:
    return f"{ROOT}upstream/provider/{provider.pk}/test-sign-in/"


def begin(http: Http, provider: Provider) -> str:
    """The URL at the provider."""
    answer = http.post(page(provider))
    assert answer.status_code == 200, answer
    return str(answer.context["target_url"])


def at_provider(url: str) -> str:
    """Where the provider sends the browser back to, as path and query."""
    answer = outbound.request("GET", url, allow_private_network=True)
    assert answer.status == 302, answer
    parts = urlsplit(answer.headers["Location"])
    return f"{parts.path}?{parts.query}"


def try_out(http: Http, provider: Provider) -> Any:
    """The page that a whole test ends on."""
    answer = http.get(at_provider(begin(http, provider)))
    assert answer.status_code == 200, answer.content
    return answer


def found(answer: Any) -> dict[str, tuple[str, str]]:
    """Level and meaning of each line of that page."""
    return {one.check: (one.level.value, one.meaning) for one in answer.context["findings"]}


def everything_kept() -> dict[str, list[Any]]:
    """All rows of all tables that a sign-in could leave something in: every one but the visits and the audit trail."""
    passing = {"upstream.visit", "accounts.auditevent"}
    models = [model for model in apps.get_models() if model._meta.label_lower not in passing]
    return {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in models}
