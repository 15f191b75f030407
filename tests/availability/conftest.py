"""The hosts of this folder: starting them takes seconds, so every scenario leaves them as it found them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.availability import hosts as deployments
from tests.availability.hosts import Hosts
from tests.harness.postgres import Cluster


@pytest.fixture(scope="module")
def hosts(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """On a PostgreSQL of their own, which keeps what it acknowledged: it is going to be crashed."""
    postgres = Cluster(settings=()).start()
    try:
        with deployments.running(tmp_path_factory.mktemp("hosts"), postgres) as running:
            yield running
    finally:
        postgres.stop()
