"""ID tokens: OpenID Connect Core s2, s3.1.3.6, s12.2; and those that a client has to refuse (RFC 8725)."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import jwt
import pytest

from tests.unit.demo.conftest import IdP


def verified(idp: IdP, id_token: str, algorithm: str = "RS256") -> dict[str, Any]:
    keys = jwt.PyJWKSet.from_dict(idp.get("/jwks").json())
    key = keys[jwt.get_unverified_header(id_token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        id_token,
        key,
        algorithms=[algorithm],
        audience="authserver-demo",
        issuer=idp.issuer,
        options={"require": ["iss", "sub", "aud", "exp", "iat", "auth_time", "at_hash"]},
    )
    return claims


def test_it_says_who_for_whom_and_since_when(idp: IdP) -> None:
    answer = idp.sign_in()
    claims = verified(idp, answer["id_token"])
    half = hashlib.sha256(answer["access_token"].encode()).digest()[:16]
    assert claims["nonce"] == "a nonce"
    assert claims["sub"] == idp.get("/userinfo", answer["access_token"]).json()["sub"]
    assert (claims["name"], claims["email"], claims["email_verified"]) == (
        "Ada Lovelace",
        "ada@example.com",
        True,
    )
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    assert claims["auth_time"] <= claims["iat"] < claims["exp"]


def test_without_openid_there_is_none_and_without_a_nonce_it_has_none(idp: IdP) -> None:
    assert "id_token" not in idp.sign_in(scope="profile demo:read")
    assert "nonce" not in verified(idp, idp.sign_in(nonce=None)["id_token"])


def test_that_of_a_refresh_keeps_subject_and_sign_in_and_has_no_nonce(idp: IdP) -> None:
    first = idp.sign_in()
    before = verified(idp, first["id_token"])
    after = verified(idp, idp.refresh(first["refresh_token"]).json()["id_token"])
    assert "nonce" not in after
    assert all(after[name] == before[name] for name in ("iss", "sub", "aud", "auth_time"))


def test_es256_works_as_well(idp: IdP) -> None:
    idp.turn(alg="ES256")
    assert verified(idp, idp.sign_in()["id_token"], "ES256")["email"] == "ada@example.com"


@pytest.mark.parametrize("signature", ["broken", "unpublished_key"])
def test_a_fault_signs_it_wrongly(idp: IdP, signature: str) -> None:
    idp.turn(token={"signature": signature})
    answer = idp.sign_in()
    with pytest.raises(jwt.InvalidSignatureError):
        verified(idp, answer["id_token"])


def test_a_fault_does_not_sign_it_or_signs_with_the_public_key_as_a_secret(idp: IdP) -> None:
    idp.turn(token={"signature": "none"})
    unsigned = idp.sign_in()["id_token"]
    assert jwt.get_unverified_header(unsigned)["alg"] == "none"
    assert unsigned.endswith(".")
    idp.turn(token={"signature": "public_key_as_secret"})
    confused = idp.sign_in()["id_token"]
    assert jwt.get_unverified_header(confused)["alg"] == "HS256"
    assert jwt.decode(confused, options={"verify_signature": False})["nonce"] == "a nonce"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"},
        {"aud": "somebody-else"},
        {"aud": ["authserver-demo", "somebody-else"], "azp": "somebody-else"},
        {"nonce": "another"},
        {"exp": 1},
        {"iat": 4102444800},
        {"sub": "somebody-else"},
        {"sub": 7},
        {"sub": ""},
        {"email_verified": False},
    ],
)
def test_a_fault_changes_its_claims(idp: IdP, changed: dict[str, Any]) -> None:
    idp.turn(token={"id_token": changed, "times": 1})
    spoiled = jwt.decode(idp.sign_in()["id_token"], options={"verify_signature": False})
    assert {name: spoiled[name] for name in changed} == changed
    verified(idp, idp.sign_in()["id_token"])


def test_a_fault_takes_claims_away(idp: IdP) -> None:
    idp.turn(token={"id_token": {"sub": None, "nonce": None}})
    claims = jwt.decode(idp.sign_in()["id_token"], options={"verify_signature": False})
    assert not {"sub", "nonce"} & claims.keys()


def test_another_subject_appears_only_on_refresh_if_only_that_is_told(idp: IdP) -> None:
    idp.turn(refresh={"id_token": {"sub": "somebody-else"}})
    first = idp.sign_in()
    assert verified(idp, first["id_token"])["sub"] != "somebody-else"
    again = idp.refresh(first["refresh_token"]).json()
    assert verified(idp, again["id_token"])["sub"] == "somebody-else"
