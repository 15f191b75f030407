"""Both sealers sit the contract; and what is true of a ring of keys only."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from structlog.testing import capture_logs

from accounts.vault.base import Damaged
from accounts.vault.handles import HandleSealing
from accounts.vault.keyring import KeyRingSealing
from accounts.vault.sealing import FirstSeals, Sealing
from accounts.vault.secrets import open_secret, seal_secret
from tests.contracts.sealing import CONTEXT, PLAINTEXT, SealingContract

OLD, NEW = b"o" * 32, b"n" * 32


class TestKeyRingSealing(SealingContract):
    @pytest.fixture
    def sealing(self) -> Sealing:
        return KeyRingSealing({"t1": OLD, "t2": NEW})


class TestHandleSealing(SealingContract):
    @pytest.fixture
    def sealing(self) -> Sealing:
        return HandleSealing()


class TestFirstSeals(SealingContract):
    """Two backends while one takes over from the other."""

    @pytest.fixture
    def sealing(self) -> Sealing:
        return FirstSeals([KeyRingSealing({"t1": OLD}), HandleSealing()])


def test_of_two_backends_the_first_seals_and_each_opens_what_it_sealed() -> None:
    old, new = KeyRingSealing({"old": OLD}), KeyRingSealing({"new": NEW})
    both = FirstSeals([new, old])
    assert list(both.prefixes) == ["new", "old"]
    assert both.open(old.seal(PLAINTEXT, CONTEXT), CONTEXT) == PLAINTEXT
    assert new.open(both.seal(PLAINTEXT, CONTEXT), CONTEXT) == PLAINTEXT


def test_the_first_key_of_the_ring_seals_and_its_id_stands_in_the_value() -> None:
    assert KeyRingSealing({"new": NEW, "old": OLD}).seal(PLAINTEXT, CONTEXT).startswith("v1.new.")


def test_what_an_older_key_sealed_still_opens_after_a_new_one_came_first() -> None:
    sealed = KeyRingSealing({"old": OLD}).seal(PLAINTEXT, CONTEXT)
    assert KeyRingSealing({"new": NEW, "old": OLD}).open(sealed, CONTEXT) == PLAINTEXT


def test_a_key_missing_from_the_ring_is_named() -> None:
    sealed = KeyRingSealing({"k2025": OLD}).seal(PLAINTEXT, CONTEXT)
    with pytest.raises(Damaged, match="the vault key k2025, which is not in the ring"):
        KeyRingSealing({"k2026": NEW}).open(sealed, CONTEXT)


def test_another_key_under_the_same_id_does_not_open() -> None:
    sealed = KeyRingSealing({"k": OLD}).seal(PLAINTEXT, CONTEXT)
    with pytest.raises(Damaged):
        KeyRingSealing({"k": NEW}).open(sealed, CONTEXT)


def test_the_key_id_is_bound_too() -> None:
    """The same key under two ids: the id in a value cannot be rewritten."""
    ring = KeyRingSealing({"a": OLD, "b": OLD})
    with pytest.raises(Damaged):
        ring.open(ring.seal(PLAINTEXT, CONTEXT).replace("v1.a.", "v1.b."), CONTEXT)


@pytest.mark.parametrize(
    "keys", [{}, {"short": b"x" * 31}, {"long": b"x" * 33}, {"ключ": OLD}, {"\u0661": OLD}, {"a.b": OLD}, {"": OLD}]
)
def test_a_ring_without_a_proper_key_does_not_start(keys: dict[str, bytes]) -> None:
    with pytest.raises(ImproperlyConfigured):
        KeyRingSealing(keys)


@pytest.mark.parametrize("value", ["client-secret", "", "nul\x00 half\ud800 ünïcödé"])
def test_a_secret_opens_in_its_own_context_only(value: str) -> None:
    sealed = seal_secret(value, "provider:github:client_secret")
    assert open_secret(sealed, "provider:github:client_secret") == value
    with capture_logs() as logs, pytest.raises(Damaged):
        open_secret(sealed, "provider:google:client_secret")
    assert [(line["event"], line["log_level"]) for line in logs] == [("vault.secret_damaged", "warning")]
    assert sealed not in str(logs)
