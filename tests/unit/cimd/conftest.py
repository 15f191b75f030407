"""`documents`: a host of metadata documents that this process trusts and, by policy, may reach on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from pytest_django import Settings

from authserver import client_key_sets
from tests.fakes.documents import Documents, served
from tests.harness.policies import in_force
from upstream import http


@pytest.fixture
def documents(tmp_path: Path, settings: Settings, db: None) -> Iterator[Documents]:
    cache.clear()
    client_key_sets.forget()
    with served(tmp_path) as host:
        settings.UPSTREAM_CA_FILE = str(host.authority)
        _forget_connections()
        with in_force(cimd={"allow_private_network": True}):
            yield host
    _forget_connections()


def _forget_connections() -> None:
    """TLS trust is read once a process."""
    for cached in (http._pools, http.tls_context):
        cached.cache_clear()
