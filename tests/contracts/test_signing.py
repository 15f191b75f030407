"""Signers that hold their keys in the process sit the contract; and what is true of PEM files only."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from django.conf import settings
from jwt.algorithms import RSAAlgorithm
from structlog.testing import capture_logs

from authserver import keys
from authserver.conf import load
from authserver.keys.base import Signer, SigningUnavailable
from authserver.keys.ephemeral import EphemeralSigner
from authserver.keys.material import UnusableKey, from_pem, generate
from authserver.keys.pem import PemSigner
from tests.contracts.signing import CLAIMS, Clock, SigningContract, verified

KEYS: dict[str, PrivateKeyTypes] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


def pem(
    key: PrivateKeyTypes,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> str:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


def public_pem(key: PrivateKeyTypes) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "signing.pem"


class TestEphemeralSigner(SigningContract):
    @pytest.fixture
    def signer(self) -> Signer:
        return EphemeralSigner()

    def test_two_processes_do_not_share_a_key(self) -> None:
        token = EphemeralSigner().sign(CLAIMS, "at+jwt")
        assert EphemeralSigner().verification_key(jwt.get_unverified_header(token)["kid"]) is None

    def test_it_warns(self) -> None:
        with capture_logs() as logs:
            EphemeralSigner()
        assert [(line["event"], line["log_level"]) for line in logs] == [("signing_key.ephemeral", "warning")]


@pytest.mark.parametrize("algorithm", KEYS)
class PemContract(SigningContract):
    """The contract, for each kind of key."""

    @pytest.fixture
    def signer(self, algorithm: str, key_file: Path) -> Signer:
        key_file.write_text(pem(KEYS[algorithm]))
        return PemSigner(str(key_file))


class TestPemSigner(PemContract):
    def test_the_algorithm_follows_from_the_key(self, signer: Signer, algorithm: str) -> None:
        assert signer.algorithm == algorithm

    def test_only_rsa_is_warned_about(self, algorithm: str, key_file: Path) -> None:
        key_file.write_text(pem(KEYS[algorithm]))
        with capture_logs() as logs:
            PemSigner(str(key_file))
        assert [line["event"] for line in logs] == (["signing_key.rsa"] if algorithm == "RS256" else [])


class TestPemFile:
    def test_the_first_key_signs_and_all_verify(self, key_file: Path) -> None:
        key_file.write_text(pem(KEYS["RS256"]))
        before = PemSigner(str(key_file)).sign(CLAIMS, "at+jwt")
        key_file.write_text(pem(KEYS["ES256"]) + "\n# the one before:\n" + pem(KEYS["RS256"]) + pem(KEYS["EdDSA"]))
        signer = PemSigner(str(key_file))
        assert signer.algorithm == "ES256"
        assert [key["alg"] for key in signer.public_jwks()["keys"]] == ["ES256", "RS256", "EdDSA"]
        assert verified(signer, before) == CLAIMS
        assert verified(signer, signer.sign(CLAIMS, "at+jwt")) == CLAIMS

    def test_the_public_half_of_a_retired_key_is_enough(self, key_file: Path) -> None:
        key_file.write_text(pem(KEYS["ES384"]))
        before = PemSigner(str(key_file)).sign(CLAIMS, "at+jwt")
        key_file.write_text(pem(KEYS["ES256"]) + public_pem(KEYS["ES384"]))
        assert verified(PemSigner(str(key_file)), before) == CLAIMS

    def test_what_openssl_ecparam_writes_is_read(self, key_file: Path) -> None:
        parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        key_file.write_text(parameters + pem(KEYS["ES256"], PrivateFormat.TraditionalOpenSSL))
        assert PemSigner(str(key_file)).algorithm == "ES256"

    def test_the_kid_is_the_thumbprint_of_rfc_7638(self) -> None:
        """The example of its section 3.1."""
        modulus = (
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64t"
            "Z_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbO"
            "pbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
        )
        public = RSAAlgorithm.from_jwk({"kty": "RSA", "n": modulus, "e": "AQAB"})
        assert isinstance(public, rsa.RSAPublicKey)
        text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        assert from_pem(text)[0].kid == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "no private key"),
            ("not a key", "no private key"),
            (public_pem(KEYS["ES256"]), "no private key"),
            (public_pem(KEYS["ES384"]) + pem(KEYS["ES256"]), "no private key"),
            (pem(ec.generate_private_key(ec.SECP256K1())), "secp256k1"),
            (pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)), "1024 bits"),  # noqa: S505 - to be refused
            (pem(ed448.Ed448PrivateKey.generate()), "only EC"),
            (pem(x25519.X25519PrivateKey.generate()), "only EC"),
            (pem(KEYS["ES256"], encryption=BestAvailableEncryption(b"password")), "encrypted"),
            (pem(KEYS["ES256"]).replace("\n", "\nAAAA", 1), "cannot be parsed"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "CERTIFICATE is no key"),
            (pem(KEYS["ES256"]) + "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "cannot be parsed"),
        ],
    )
    def test_a_file_that_cannot_sign_is_refused_with_the_reason(self, key_file: Path, text: str, why: str) -> None:
        key_file.write_text(text)
        with pytest.raises(SigningUnavailable, match=why) as refused:
            PemSigner(str(key_file))
        assert "AAAA" not in str(refused.value)

    def test_a_file_that_cannot_be_read_is_named(self, key_file: Path) -> None:
        with pytest.raises(SigningUnavailable, match=r"signing\.pem cannot be read"):
            PemSigner(str(key_file))
        key_file.write_bytes(b"\xff\xfe")
        with pytest.raises(SigningUnavailable, match=r"signing\.pem cannot be read"):
            PemSigner(str(key_file))

    def test_a_key_that_only_verifies_does_not_sign(self) -> None:
        with pytest.raises(UnusableKey):
            from_pem(public_pem(KEYS["ES256"]))[0].sign(CLAIMS, "at+jwt")

    def test_no_private_half_shows_in_what_a_careless_log_line_prints(self) -> None:
        assert "PrivateKey" not in repr(from_pem(pem(KEYS["ES256"])))


@pytest.mark.parametrize("algorithm", ["ES384", "HS256", "none", ""])
def test_no_key_is_made_for_another_algorithm(algorithm: str) -> None:
    with pytest.raises(UnusableKey):
        generate(algorithm)


def test_a_kid_can_be_typed_after_an_option() -> None:
    """A thumbprint begins with a hyphen once in 64 times, and `--revoke -x` would be another option."""
    assert not [kid for _ in range(500) if (kid := generate().kid).startswith("-")]


def test_the_configured_backend_is_one_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.AUTHSERVER, "signing_backend", "authserver.keys.ephemeral.EphemeralSigner")
    load.cache_clear()
    keys.signer.cache_clear()
    try:
        assert isinstance(keys.signer(), EphemeralSigner)
        assert keys.signer() is keys.signer()
    finally:
        load.cache_clear()
        keys.signer.cache_clear()


class TestReload:
    """The file is changed under a running process."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def signer(self, key_file: Path, clock: Clock) -> PemSigner:
        key_file.write_text(pem(KEYS["ES256"]))
        return PemSigner(str(key_file), clock)

    def test_a_turn_is_three_edits_and_no_restart(self, signer: PemSigner, key_file: Path, clock: Clock) -> None:
        before = signer.sign(CLAIMS, "at+jwt")
        key_file.write_text(pem(KEYS["ES256"]) + public_pem(KEYS["EdDSA"]))
        assert len(signer.public_jwks()["keys"]) == 1, "not before a second has passed"
        clock.seconds += 1
        assert [key["alg"] for key in signer.public_jwks()["keys"]] == ["ES256", "EdDSA"]
        key_file.write_text(pem(KEYS["EdDSA"]) + pem(KEYS["ES256"]))
        clock.seconds += 1
        assert signer.algorithm == "EdDSA"
        assert verified(signer, before) == CLAIMS
        key_file.write_text(pem(KEYS["EdDSA"]))
        clock.seconds += 1
        assert signer.verification_key(jwt.get_unverified_header(before)["kid"]) is None
        assert verified(signer, signer.sign(CLAIMS, "at+jwt")) == CLAIMS

    def test_a_file_put_in_its_place_is_found(
        self, signer: PemSigner, key_file: Path, clock: Clock, tmp_path: Path
    ) -> None:
        """As Kubernetes and careful people do it; one of the same length too."""
        other = tmp_path / "other.pem"
        other.write_text(pem(ec.generate_private_key(ec.SECP256R1())))
        assert other.stat().st_size == key_file.stat().st_size
        other.replace(key_file)
        kid = signer.public_jwks()["keys"][0]["kid"]
        clock.seconds += 1
        assert signer.public_jwks()["keys"][0]["kid"] != kid

    @pytest.mark.parametrize("broken", ["", "not a key", public_pem(KEYS["ES256"]), None])
    def test_a_file_that_broke_changes_nothing_but_readiness(
        self, signer: PemSigner, key_file: Path, clock: Clock, broken: str | None
    ) -> None:
        before = signer.sign(CLAIMS, "at+jwt")
        if broken is None:
            key_file.unlink()
        else:
            key_file.write_text(broken)
        with capture_logs() as logs:
            for _ in range(3):
                clock.seconds += 1
                assert verified(signer, before) == CLAIMS
                assert verified(signer, signer.sign(CLAIMS, "at+jwt")) == CLAIMS
        assert [line["event"] for line in logs] == ["signing_keys.not_reloaded"], "once, and not every second"
        with pytest.raises(SigningUnavailable):
            signer.ping()
        key_file.write_text(pem(KEYS["ES256"]))
        signer.ping()
        assert verified(signer, before) == CLAIMS
