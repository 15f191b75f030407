"""The signer whose keys stay in AWS KMS sits the contract; and what is true of keys that are elsewhere only."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator

import jwt
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from django.core.exceptions import ImproperlyConfigured
from jwt.utils import base64url_decode
from structlog.testing import capture_logs

from accounts.vault.kms_calls import Kms
from authserver.keys import kms as kms_keys
from authserver.keys.base import Signer, SigningUnavailable
from authserver.keys.kms import KmsSigner
from tests.contracts.signing import CLAIMS, SigningContract, verified
from tests.harness import kms
from tests.harness.kms import Kms as FakeKms


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeKms]:
    with kms.server() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "RSA_2048", "RSA_3072"])
class KmsContract(SigningContract):
    """The contract, for each kind of key."""

    @pytest.fixture
    def signer(self, spec: str, aws: FakeKms) -> Signer:
        return KmsSigner([aws.new_signing_key(spec)])


class TestKmsSigner(KmsContract):
    def test_the_algorithm_follows_from_the_key(self, signer: Signer, spec: str) -> None:
        assert signer.algorithm == ("ES256" if spec.startswith("ECC") else "RS256")

    def test_only_rsa_is_warned_about(self, aws: FakeKms, spec: str) -> None:
        with capture_logs() as logs:
            KmsSigner([aws.new_signing_key(spec)])
        assert [line["event"] for line in logs] == (["signing_key.rsa"] if spec.startswith("RSA") else [])


def test_the_first_key_signs_and_all_verify(aws: FakeKms) -> None:
    old, new = aws.new_signing_key("RSA_2048"), aws.new_signing_key()
    before = KmsSigner([old]).sign(CLAIMS, "at+jwt")
    signer = KmsSigner([new, old])
    assert [key["alg"] for key in signer.public_jwks()["keys"]] == ["ES256", "RS256"]
    assert verified(signer, before) == CLAIMS
    assert jwt.get_unverified_header(signer.sign(CLAIMS, "at+jwt"))["alg"] == "ES256"


def test_two_processes_have_one_key(aws: FakeKms) -> None:
    arn = aws.new_signing_key()
    assert verified(KmsSigner([arn]), KmsSigner([arn]).sign(CLAIMS, "at+jwt")) == CLAIMS


def test_an_alias_that_is_moved_on_moves_no_running_process(aws: FakeKms) -> None:
    """Or it would sign with a key that it does not publish, under the name of the one that it does."""
    old, new = aws.new_signing_key(), aws.new_signing_key()
    aws.client.create_alias(AliasName="alias/signing", TargetKeyId=old)
    signer = KmsSigner(["alias/signing"])
    aws.client.update_alias(AliasName="alias/signing", TargetKeyId=new)
    assert verified(signer, signer.sign(CLAIMS, "at+jwt")) == CLAIMS
    assert KmsSigner(["alias/signing"]).public_jwks() == KmsSigner([new]).public_jwks()


def test_of_a_message_that_kms_does_not_take_it_is_given_the_digest(aws: FakeKms) -> None:
    """moto signs any message as it comes, so that here its signature is one of the digest that was sent."""
    signer = KmsSigner([aws.new_signing_key()])
    token = signer.sign({"long": "x" * 5000}, "at+jwt")
    message, _, signature = token.rpartition(".")
    raw = base64url_decode(signature)
    key = signer.verification_key(jwt.get_unverified_header(token)["kid"])
    assert key is not None
    assert isinstance(key.key, ec.EllipticCurvePublicKey)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.key.verify(der, hashlib.sha256(message.encode()).digest(), ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        key.key.verify(der, message.encode(), ec.ECDSA(SHA256()))


@pytest.mark.parametrize("spec", ["ECC_SECG_P256K1", "ECC_NIST_P384"])
def test_a_curve_that_is_not_ours_is_refused(aws: FakeKms, spec: str) -> None:
    with pytest.raises(SigningUnavailable, match=r"secp256k1|ECC_NIST_P256"):
        KmsSigner([aws.new_signing_key(spec)])


def test_a_key_that_seals_does_not_sign(aws: FakeKms) -> None:
    with pytest.raises(SigningUnavailable):
        KmsSigner([aws.new_key()])


def test_a_key_that_only_encrypts_does_not_sign(aws: FakeKms) -> None:
    arn = aws.client.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["Arn"]
    with pytest.raises(SigningUnavailable, match="to sign with"):
        KmsSigner([arn])


def test_a_key_that_kms_does_not_give_stops_the_start(aws: FakeKms) -> None:
    with pytest.raises(SigningUnavailable, match="KMS refuses: NotFoundException"):
        KmsSigner([aws.new_signing_key(), "alias/nobody-has-it"])


def test_without_a_key_it_does_not_start() -> None:
    with pytest.raises(SigningUnavailable, match="AUTHSERVER_SIGNING_KMS_KEYS"):
        KmsSigner([])


def test_while_kms_is_away_nothing_is_signed_and_everything_is_verified(
    aws: FakeKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = KmsSigner([aws.new_signing_key()])
    token = signer.sign(CLAIMS, "at+jwt")
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
        patch.setattr(signer._kms, "_client", Kms("AUTHSERVER_KEY_SOURCE")._client)
        patch.setattr(kms_keys, "PING_SECONDS", 0.0)
        for act in (lambda: signer.sign(CLAIMS, "at+jwt"), signer.ping):
            with pytest.raises(SigningUnavailable, match="EndpointConnectionError"):
                act()
        assert verified(signer, token) == CLAIMS
    assert verified(signer, signer.sign(CLAIMS, "at+jwt")) == CLAIMS


def test_a_ping_asks_kms_only_when_nothing_was_signed_for_a_while(
    aws: FakeKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = KmsSigner([aws.new_signing_key()])
    signer.ping()
    monkeypatch.setattr(signer, "_kms", None)
    signer.ping()


def test_nothing_in_the_process_is_a_private_key(aws: FakeKms) -> None:
    signer = KmsSigner([aws.new_signing_key()])
    assert signer._signing.key.private is None


def test_without_its_library_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ImproperlyConfigured, match=r"AUTHSERVER_KEY_SOURCE.*requirements-aws\.txt"):
        KmsSigner(["alias/any"])
