"""Keys in a registration: which are taken, what is stored of them, and what the answer says."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from authserver.models import Client
from tests.harness.assertions import KEYS, public_jwk
from tests.harness.registration import REDIRECT_URI, manage, register, registered

pytestmark = pytest.mark.django_db

METHOD = {"token_endpoint_auth_method": "private_key_jwt"}
GOOD = public_jwk(KEYS["ES256"], "ES256")


def private_jwk(key: Any, algorithm: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(key))
    return found


def test_the_public_half_is_stored_and_answered_and_there_is_no_secret() -> None:
    body = registered(**METHOD, jwks={"keys": [{**GOOD, "x5c": ["MII"], "ext": True}]})
    assert body["token_endpoint_auth_method"] == "private_key_jwt"
    assert body["jwks"] == {"keys": [GOOD]}
    assert not {"client_secret", "client_secret_expires_at"} & body.keys()
    client = Client.objects.get()
    assert (client.client_type, client.metadata) == ("confidential", {"jwks": {"keys": [GOOD]}})
    assert client.client_secret.startswith("random_secret_sha256$"), "one that nobody knows"
    assert manage("GET", body).json() == body


def test_an_address_is_stored_and_not_called() -> None:
    body = registered(**METHOD, jwks_uri="https://keys.example/jwks.json")
    assert body["jwks_uri"] == "https://keys.example/jwks.json"


def test_keys_that_cannot_be_used_are_passed_over() -> None:
    p384 = private_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), "ES384")
    others = [p384, {"kty": "oct-of-tomorrow"}, {**GOOD, "use": "enc"}, {**GOOD, "x": "AA"}]
    assert registered(**METHOD, jwks={"keys": [*others, GOOD]})["jwks"] == {"keys": [GOOD]}


@pytest.mark.parametrize(
    "keys",
    [
        {"jwks": {"keys": [GOOD]}, "jwks_uri": "https://keys.example/jwks.json"},
        {"jwks": {"keys": []}},
        {"jwks": {"keys": [GOOD] * 21}},
        {"jwks": {"keys": {}}},
        {"jwks": {"keys": ["x"]}},
        {"jwks": []},
        {"jwks": "x"},
        {"jwks": {"keys": [GOOD, private_jwk(KEYS["ES256"], "ES256")]}},
        {"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}},
        {"jwks": {"keys": [private_jwk(rsa.generate_private_key(65537, 1024).public_key(), "RS256")]}},  # noqa: S505 - refused for it
        {"jwks": {"keys": [{**GOOD, "kid": 7}]}},
        {"jwks": {"keys": [{**GOOD, "alg": "HS256"}]}},
        {"jwks": {"keys": [{**GOOD, "kid": "x" * 3000}]}},
        {"jwks_uri": "http://keys.example/jwks.json"},
        {"jwks_uri": "https://user@keys.example/jwks.json"},
        {"jwks_uri": 7},
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_keys_is_said(keys: dict[str, Any]) -> None:
    answer = register(**METHOD, **keys)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
    assert answer.json()["error_description"].startswith("jwks")
    assert not Client.objects.exists()


def test_keys_of_a_client_that_does_not_prove_itself_with_one_are_not_kept() -> None:
    body = registered(jwks={"keys": [GOOD]}, jwks_uri="https://keys.example/jwks.json")
    assert not {"jwks", "jwks_uri"} & body.keys()
    assert Client.objects.get().metadata == {}


def test_from_a_secret_to_a_key_and_back() -> None:
    given = registered(token_endpoint_auth_method="client_secret_basic")
    changed = {"client_id": given["client_id"], "redirect_uris": [REDIRECT_URI]}
    to_key = manage("PUT", given, {**changed, **METHOD, "jwks": {"keys": [GOOD]}}).json()
    assert (to_key["token_endpoint_auth_method"], "client_secret" in to_key) == ("private_key_jwt", False)
    back = manage("PUT", given, {**changed, "token_endpoint_auth_method": "client_secret_basic"}).json()
    assert back["client_secret"] not in ("", given["client_secret"])
    assert "jwks" not in back
