"""Ourselves behind a proxy that may do anything, and nothing remembered of an earlier test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email.utils import format_datetime
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.test import Client as Http
from django.utils import timezone

from authserver import conf
from authserver.doctor.findings import Finding
from authserver.metadata import views
from tests.fakes.server import FakeServer, Reply, Seen
from upstream import discovery, http

Configure = Callable[..., None]


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    cache.clear()
    discovery.forget()
    for cached in (http._pools, http.tls_context):
        cached.cache_clear()
    for published in (views.authorization_server, views.openid_configuration, views.jwks):
        view: Any = getattr(published, "__wrapped__", published)
        view._built = None


@pytest.fixture
def configure(settings: Any) -> Iterator[Configure]:
    def configure(**fields: Any) -> None:
        settings.AUTHSERVER = {**django_settings.AUTHSERVER, **fields}
        conf.load.cache_clear()

    yield configure
    conf.load.cache_clear()


class Front(FakeServer):
    """A proxy in front of our own views. `instead` is what it answers to a path by itself; `skew` moves its clock."""

    def __init__(self) -> None:
        super().__init__()
        self.instead: dict[str, Reply] = {}
        self.everywhere: Reply | None = None
        self.added: dict[str, str] = {}

    def answer(self, seen: Seen) -> Reply:
        if self.everywhere or seen.path in self.instead:
            return self.everywhere or self.instead[seen.path]
        assert self.pages is not None
        status, body = self.pages[seen.path]
        return Reply(status, body=body, headers=self.added)

    pages: dict[str, tuple[int, bytes]] | None = None


@pytest.fixture
def front(db: None, configure: Configure) -> Iterator[Front]:
    """Our issuer's address leads to it, and it serves what our views say."""
    front = Front()
    with front:
        configure(issuer=front.url)
        forget()
        front.pages = {}
        for path in ("/.well-known/oauth-authorization-server", "/.well-known/jwks.json"):
            came = Http().get(path)
            front.pages[path] = (came.status_code, came.content)
        yield front


def by_check(found: list[Finding]) -> dict[str, Finding]:
    assert len({finding.check for finding in found}) == len(found)
    return {finding.check: finding for finding in found}


def date_in(**delta: int) -> str:
    """A `Date` header of a clock that is off."""
    from datetime import timedelta

    return format_datetime(timezone.now() + timedelta(**delta), usegmt=True)
