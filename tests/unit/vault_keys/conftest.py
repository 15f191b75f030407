"""This process under other vault keys: as an operator restarts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from accounts.vault import vault
from accounts.vault.sealing import sealing

Restart = Callable[..., None]
KEYS = {name: name[-1:].encode() * 32 for name in ("k1", "k2", "k3")}


def forget() -> None:
    """What a process keeps of its keys."""
    vault.cache_clear()
    sealing.cache_clear()


@pytest.fixture
def restart(settings: Settings) -> Iterator[Restart]:
    """`restart("k2", "k1")`: the first seals, both open."""

    def with_keys(*names: str, **others: bytes) -> None:
        settings.VAULT_KEYS = {**{name: KEYS[name] for name in names}, **others}
        forget()

    with_keys("k1")
    yield with_keys
    forget()
