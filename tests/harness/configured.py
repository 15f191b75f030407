"""Our own settings, changed for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from authserver import conf, keys

Configure = Callable[..., None]


@pytest.fixture
def configure(settings: Settings) -> Iterator[Configure]:
    """Set fields of `Conf`, seen at once; the state before comes back."""

    def configure(**fields: Any) -> None:
        settings.AUTHSERVER = {**django_settings.AUTHSERVER, **fields}
        conf.load.cache_clear()
        keys.signer.cache_clear()

    yield configure
    conf.load.cache_clear()
    keys.signer.cache_clear()
