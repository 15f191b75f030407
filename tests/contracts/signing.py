"""What every signer does."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest

from authserver.keys.base import Signer

CLAIMS = {"iss": "http://localhost:8000", "sub": "8f14e45f", "tsid": "t" * 32, "odd": "ü half\ud800"}
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def verified(signer: Signer, token: str) -> dict[str, Any]:
    """The claims, checked as a verifier does: by `kid`, with the one algorithm of that key."""
    found = signer.verification_key(jwt.get_unverified_header(token)["kid"])
    assert found is not None
    return dict(jwt.decode(token, found.key, algorithms=[found.algorithm]))


class SigningContract:
    @pytest.fixture
    def signer(self) -> Signer:
        raise NotImplementedError

    def test_what_it_signs_verifies_with_the_key_it_names(self, signer: Signer) -> None:
        assert verified(signer, signer.sign(CLAIMS, "at+jwt")) == CLAIMS

    def test_the_header_says_type_key_and_algorithm_and_no_more(self, signer: Signer) -> None:
        header = jwt.get_unverified_header(signer.sign(CLAIMS, "at+jwt"))
        assert header == {"alg": signer.algorithm, "typ": "at+jwt", "kid": signer.public_jwks()["keys"][0]["kid"]}

    def test_its_jwks_is_what_a_stranger_needs_to_verify(self, signer: Signer) -> None:
        token = signer.sign(CLAIMS, "JWT")
        keys = jwt.PyJWKSet.from_dict(json.loads(json.dumps(signer.public_jwks())))
        key = keys[jwt.get_unverified_header(token)["kid"]]
        assert jwt.decode(token, key, algorithms=[key.algorithm_name]) == CLAIMS

    def test_its_jwks_shows_public_members_only(self, signer: Signer) -> None:
        for key in signer.public_jwks()["keys"]:
            assert {"kty", "kid", "use", "alg"} <= set(key)
            assert key["use"] == "sig"
            assert not PRIVATE_MEMBERS & set(key)

    def test_kids_are_distinct_thumbprints(self, signer: Signer) -> None:
        kids = [key["kid"] for key in signer.public_jwks()["keys"]]
        assert len(set(kids)) == len(kids)
        assert all(len(base64.urlsafe_b64decode(kid + "=")) == 32 for kid in kids)

    def test_changing_its_answer_does_not_change_the_next(self, signer: Signer) -> None:
        signer.public_jwks()["keys"][0]["kid"] = "spoilt"
        signer.public_jwks()["keys"].clear()
        assert signer.public_jwks()["keys"][0]["kid"] != "spoilt"

    @pytest.mark.parametrize("kid", ["", "unknown", "nul\x00", "half\ud800", "x" * 100_000, "../../etc/passwd"])
    def test_an_unknown_kid_has_no_key(self, signer: Signer, kid: str) -> None:
        assert signer.verification_key(kid) is None

    def test_a_key_verifies_with_its_own_algorithm_only(self, signer: Signer) -> None:
        for key in signer.public_jwks()["keys"]:
            found = signer.verification_key(key["kid"])
            assert found is not None
            assert found.algorithm == key["alg"]
            assert found.algorithm in {"ES256", "ES384", "ES512", "EdDSA", "RS256"}

    def test_it_never_hands_out_a_private_key(self, signer: Signer) -> None:
        found = signer.verification_key(signer.public_jwks()["keys"][0]["kid"])
        assert found is not None
        assert not hasattr(found.key, "private_bytes")
        assert not hasattr(found.key, "sign")

    def test_ping_answers(self, signer: Signer) -> None:
        signer.ping()
