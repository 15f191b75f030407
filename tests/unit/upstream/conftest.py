"""Our callback at the root, and nothing remembered of an earlier test's provider."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.fakes.oauth2 import FakeOAuth2
from tests.fakes.oidc import FakeOidc
from tests.unit.upstream.held import Clock
from tests.unit.upstream.journeys import Person
from upstream import discovery


@pytest.fixture(autouse=True)
def only_the_callback(settings: Settings) -> Iterator[None]:
    settings.ROOT_URLCONF = "tests.unit.upstream.urls"
    discovery.forget()
    yield
    discovery.forget()


@pytest.fixture
def oidc() -> Iterator[FakeOidc]:
    with FakeOidc() as fake:
        yield fake


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake() -> Iterator[FakeOAuth2]:
    with FakeOAuth2() as fake:
        yield fake
