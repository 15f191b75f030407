"""A network of each test's own, and nothing remembered of an earlier one's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from pytest_django import Settings

from tests.unit.outbound.network import Network
from tests.unit.outbound.servers import Canary, Idp, Page, Proxy
from upstream import discovery, http


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """TLS trust and connections are kept for the process, documents and failures for a while."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    cache.clear()
    discovery.forget()
    for cached in (http._pools, http.tls_context):
        cached.cache_clear()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network(monkeypatch)


@pytest.fixture
def canary() -> Iterator[Canary]:
    canary = Canary()
    yield canary
    canary.listener.close()


@pytest.fixture
def page() -> Iterator[Page]:
    with Page() as page:
        yield page


@pytest.fixture
def idp(network: Network, tmp_path: Path, settings: Settings) -> Iterator[Idp]:
    """A provider on the public internet, at `https://idp.example`."""
    idp = Idp()
    settings.UPSTREAM_CA_FILE = str(network.publish(idp, "idp.example", "8.8.8.8", tmp_path))
    with idp:
        yield idp


@pytest.fixture
def proxy(network: Network, settings: Settings) -> Iterator[Proxy]:
    """The operator's forward proxy, in use; it asks for a user and a password."""
    with Proxy() as proxy:
        network.open(proxy.port)
        settings.UPSTREAM_PROXY = proxy.url
        settings.UPSTREAM_NO_PROXY = ""
        yield proxy
