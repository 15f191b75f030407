"""Sealing by AWS KMS sits the contract; and what is true of an envelope only."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts.vault import kms as kms_sealing
from accounts.vault.base import Damaged, SealingUnavailable
from accounts.vault.kms import KmsSealing
from accounts.vault.sealing import Sealing
from tests.contracts.sealing import CONTEXT, PLAINTEXT, SealingContract
from tests.harness import kms
from tests.harness.kms import Kms


@pytest.fixture(scope="module")
def aws() -> Iterator[Kms]:
    with kms.server() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


class TestKmsSealing(SealingContract):
    @pytest.fixture
    def sealing(self, aws: Kms) -> Sealing:
        return KmsSealing({"main": aws.new_key()})


def test_the_key_itself_is_never_here(aws: Kms) -> None:
    sealing = KmsSealing({"main": aws.new_key()})
    sealed = sealing.seal(PLAINTEXT, CONTEXT)
    form, key_id, wrapped, message = sealed.split(".")
    assert (form, key_id) == ("e1", "main")
    assert len(wrapped) > 100, "the data key, wrapped by KMS"
    assert message
    assert sealing._sealing is not None
    assert sealing._sealing.plaintext.hex() not in repr(sealing._sealing)


def test_another_process_opens_what_this_one_sealed(aws: Kms) -> None:
    arn = aws.new_key()
    sealed = [KmsSealing({"main": arn}).seal(PLAINTEXT, f"{CONTEXT}{number}") for number in range(3)]
    other = KmsSealing({"main": arn})
    assert [other.open(one, f"{CONTEXT}{number}") for number, one in enumerate(sealed)] == [PLAINTEXT] * 3


def test_one_data_key_seals_many_values_and_is_turned_over(aws: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    sealing = KmsSealing({"main": aws.new_key()})
    wrapped = {sealing.seal(PLAINTEXT, CONTEXT).split(".")[2] for _ in range(10)}
    assert len(wrapped) == 1
    monkeypatch.setattr(kms_sealing, "MAX_MESSAGES", 3)
    wrapped = {sealing.seal(PLAINTEXT, CONTEXT).split(".")[2] for _ in range(9)}
    assert len(wrapped) == 3
    monkeypatch.setattr(kms_sealing, "MAX_AGE_SECONDS", 0.0)
    assert sealing.seal(PLAINTEXT, CONTEXT).split(".")[2] not in wrapped


def test_unwrapped_keys_are_kept_for_a_while_and_only_so_many(aws: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = aws.new_key()
    sealed = [KmsSealing({"main": arn}).seal(PLAINTEXT, CONTEXT) for _ in range(5)]
    monkeypatch.setattr(kms_sealing, "MAX_KEPT", 2)
    sealing = KmsSealing({"main": arn})
    for one in sealed:
        assert sealing.open(one, CONTEXT) == PLAINTEXT
    assert len(sealing._opened) == 2


def test_a_right_that_is_taken_away_ends_what_can_be_opened(aws: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused is not damaged: whoever reads must not take it for a reason to sign in again. Here the alias goes."""
    arn = aws.new_key()
    aws.client.create_alias(AliasName="alias/ours", TargetKeyId=arn)
    sealing = KmsSealing({"main": "alias/ours"})
    sealed = sealing.seal(PLAINTEXT, CONTEXT)
    aws.client.delete_alias(AliasName="alias/ours")
    assert sealing.open(sealed, CONTEXT) == PLAINTEXT, "the data key is still here"
    monkeypatch.setattr(kms_sealing, "MAX_AGE_SECONDS", 0.0)
    monkeypatch.setattr(kms_sealing, "PING_SECONDS", 0.0)
    for act in (lambda: sealing.open(sealed, CONTEXT), lambda: sealing.seal(PLAINTEXT, CONTEXT), sealing.ping):
        with pytest.raises(SealingUnavailable):
            act()
    aws.client.create_alias(AliasName="alias/ours", TargetKeyId=arn)
    assert sealing.open(sealed, CONTEXT) == PLAINTEXT
    sealing.ping()


def gone(sealing: KmsSealing, monkeypatch: pytest.MonkeyPatch) -> None:
    """KMS cannot be reached from now on: the same process, and nobody listens any more."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
    monkeypatch.setattr(sealing._kms, "_client", KmsSealing({"main": "alias/any"})._kms._client)


def test_what_was_under_way_when_kms_went_away_is_sealed_still(aws: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider gives a rotated token once. Whoever asks beforehand hears no, whoever has it already gets it sealed."""
    sealing = KmsSealing({"main": aws.new_key()})
    sealing.ready()
    with monkeypatch.context() as patch:
        gone(sealing, patch)
        sealing.ready()
        patch.setattr(kms_sealing, "SPARE_SECONDS", kms_sealing.MAX_AGE_SECONDS)  # as if it had almost done its time
        with pytest.raises(SealingUnavailable):
            sealing.ready()
        sealed = sealing.seal(PLAINTEXT, CONTEXT)
        patch.setattr(kms_sealing, "MAX_AGE_SECONDS", 0.0)
        with pytest.raises(SealingUnavailable):
            sealing.seal(PLAINTEXT, CONTEXT)
    assert sealing.open(sealed, CONTEXT) == PLAINTEXT
    sealing.ready()


def test_what_a_former_data_key_sealed_needs_no_kms_while_that_key_is_kept(
    aws: Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealing = KmsSealing({"main": aws.new_key()})
    sealed = sealing.seal(PLAINTEXT, CONTEXT)
    with monkeypatch.context() as patch:
        patch.setattr(kms_sealing, "MAX_MESSAGES", 1)
        sealing.ready()
    gone(sealing, monkeypatch)
    assert sealing.seal(PLAINTEXT, CONTEXT).split(".")[2] != sealed.split(".")[2]
    assert sealing.open(sealed, CONTEXT) == PLAINTEXT


def test_while_kms_is_away_one_asks_for_all(aws: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each who asks waits for seconds: one thread does, and the others are told at once. When KMS is back, all ask."""
    arn = aws.new_key()
    sealed = KmsSealing({"main": arn}).seal(PLAINTEXT, CONTEXT)
    sealing = KmsSealing({"main": arn})
    with monkeypatch.context() as patch:
        gone(sealing, patch)
        with pytest.raises(SealingUnavailable, match="EndpointConnectionError"):
            sealing.open(sealed, CONTEXT)
        with sealing._kms._asking_again:
            for act in (sealing.ready, lambda: sealing.seal(PLAINTEXT, CONTEXT), lambda: sealing.open(sealed, CONTEXT)):
                with pytest.raises(SealingUnavailable, match="a moment ago"):
                    act()
        with pytest.raises(SealingUnavailable, match="EndpointConnectionError"):
            sealing.ready()
    assert sealing.open(sealed, CONTEXT) == PLAINTEXT
    with sealing._kms._asking_again:
        sealing.ready()


def test_another_kms_key_under_the_same_id_does_not_open(aws: Kms) -> None:
    sealed = KmsSealing({"main": aws.new_key()}).seal(PLAINTEXT, CONTEXT)
    with pytest.raises(Damaged):
        KmsSealing({"main": aws.new_key()}).open(sealed, CONTEXT)


def test_the_wrapped_key_of_another_value_does_not_open_it(aws: Kms) -> None:
    arn = aws.new_key()
    one, other = (KmsSealing({"main": arn}).seal(PLAINTEXT, CONTEXT).split(".") for _ in range(2))
    with pytest.raises(Damaged):
        KmsSealing({"main": arn}).open(".".join([*one[:2], other[2], one[3]]), CONTEXT)


def test_a_key_takes_over_from_another(aws: Kms) -> None:
    old, new = aws.new_key(), aws.new_key()
    sealed = KmsSealing({"old": old}).seal(PLAINTEXT, CONTEXT)
    ring = KmsSealing({"new": new, "old": old})
    assert ring.open(sealed, CONTEXT) == PLAINTEXT
    assert ring.seal(PLAINTEXT, CONTEXT).startswith("e1.new.")


def test_a_kms_that_is_away_is_said_so(aws: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    sealing = KmsSealing({"main": aws.new_key()})
    sealing.ping()
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    away = KmsSealing({"main": "alias/any"})
    for act in (away.ping, lambda: away.seal(PLAINTEXT, CONTEXT)):
        with pytest.raises(SealingUnavailable):
            act()


def test_without_its_library_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ImproperlyConfigured, match=r"requirements-aws\.txt"):
        KmsSealing({"main": "alias/any"})


def test_without_a_key_it_does_not_start() -> None:
    with pytest.raises(ImproperlyConfigured):
        KmsSealing({})
