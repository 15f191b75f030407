"""`private_key_jwt`: a client that signs its own proof, each good for one request, by a key that it registered."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client as Http
from django.utils import timezone

from authserver.models import Client, UsedAssertion
from tests.harness.approval import Approval, approve, make_client, make_resource, make_resource_server, post
from tests.harness.assertions import CLIENT_ID, KEYS, TYPE, assertion, make, proof, public_jwk

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

ISSUER = "http://localhost:8000"


@pytest.fixture
def approval(db: None) -> Approval:
    return approve(client=make())


def redeem(approval: Approval, proved: dict[str, str], **changed: str) -> Any:
    return post({**approval.form, **proved, **changed})


@pytest.mark.parametrize("algorithm", KEYS)
def test_each_algorithm_that_is_advertised_works(db: None, algorithm: str) -> None:
    approval = approve(client=make([public_jwk(KEYS[algorithm], algorithm)]))
    assert redeem(approval, proof(assertion(algorithm))).status_code == 200
    advertised = Http().get("/.well-known/oauth-authorization-server").json()
    assert "private_key_jwt" in advertised["token_endpoint_auth_methods_supported"]
    assert algorithm in advertised["token_endpoint_auth_signing_alg_values_supported"]


@pytest.mark.parametrize("audience", [ISSUER, f"{ISSUER}/oauth/token", [ISSUER]])
def test_the_audience_is_the_issuer_or_the_token_endpoint(approval: Approval, audience: Any) -> None:
    assert redeem(approval, proof(assertion(aud=audience))).status_code == 200


def test_the_client_id_beside_it_may_be_left_out(approval: Approval) -> None:
    form = {name: value for name, value in approval.form.items() if name != "client_id"}
    assert post({**form, **proof(assertion())}).status_code == 200


def test_a_refresh_needs_one_too(approval: Approval) -> None:
    refresh_token = redeem(approval, proof(assertion())).json()["refresh_token"]
    form = approval.refresh_form(refresh_token)
    assert post(form).status_code == 401
    assert post({**form, **proof(assertion())}).status_code == 200


def test_it_is_good_for_one_request(approval: Approval) -> None:
    token = assertion()
    refresh_token = redeem(approval, proof(token)).json()["refresh_token"]
    again = post({**approval.refresh_form(refresh_token), **proof(token)})
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    assert "was used before" in again.json()["error_description"]
    assert UsedAssertion.objects.count() == 1


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def hs256_with_the_public_key() -> str:
    """CVE-2022-29217's way: what everybody may know, used as a secret."""
    public = KEYS["ES256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = encoded(b'{"alg":"HS256"}') + "." + assertion().split(".")[1]
    return f"{head}.{encoded(hmac.digest(public, head.encode(), 'sha256'))}"


def unsigned() -> str:
    return encoded(b'{"alg":"none"}') + "." + assertion().split(".")[1] + "."


WRONG: dict[str, Callable[[], str]] = {
    "another client's issuer": lambda: assertion(iss="somebody"),
    "no issuer": lambda: assertion(iss=None),
    "another audience": lambda: assertion(aud="https://elsewhere.example"),
    "ours and another audience": lambda: assertion(aud=[ISSUER, "https://elsewhere.example"]),
    "no audience": lambda: assertion(aud=None),
    "an object for an audience": lambda: assertion(aud={"x": ISSUER}),
    "expired": lambda: assertion(exp=int(time.time()) - 120),
    "no end": lambda: assertion(exp=None),
    "an end far away": lambda: assertion(exp=int(time.time()) + 3600),
    "an end that is text": lambda: assertion(exp="soon"),
    "an end that is true": lambda: assertion(exp=True),
    "an end beyond all numbers": lambda: assertion(exp=10**30),
    "made in the future": lambda: assertion(iat=int(time.time()) + 300),
    "not good yet": lambda: assertion(nbf=int(time.time()) + 300),
    "no jti": lambda: assertion(jti=None),
    "an empty jti": lambda: assertion(jti=""),
    "a jti that is a number": lambda: assertion(jti=7),
    "a long jti": lambda: assertion(jti="x" * 256),
    "another key": lambda: assertion(key=ec.generate_private_key(ec.SECP256R1())),
    "another key under our kid": lambda: assertion(
        key=ec.generate_private_key(ec.SECP256R1()), headers={"kid": "key-ES256"}
    ),
    "an unknown kid": lambda: assertion(headers={"kid": "unknown"}),
    "another algorithm": lambda: assertion("RS256"),
    "a secret of its own": lambda: assertion(key="x" * 32, algorithm="HS256"),
    "the public key as a secret": hs256_with_the_public_key,
    "no signature": unsigned,
    "a cut signature": lambda: assertion()[:-4],
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_it_lets_nobody_in(approval: Approval, what: str) -> None:
    answer = redeem(approval, proof(WRONG[what]()))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert not UsedAssertion.objects.exists()
    assert redeem(approval, proof(assertion())).status_code == 200, "the code is still good"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é.é.é", "x" * 9000, "e30.e30.e30", "..", "\x00.a.b"])
def test_what_is_no_assertion_lets_nobody_in(approval: Approval, token: str) -> None:
    answer = redeem(approval, proof(token))
    assert answer.status_code in {400, 401}
    assert answer.json()["error"] in {"invalid_client", "invalid_request"}


def test_another_subject_is_another_client(approval: Approval) -> None:
    other = assertion(sub="somebody", iss="somebody")
    assert redeem(approval, proof(other)).status_code == 401
    form = {name: value for name, value in approval.form.items() if name != "client_id"}
    assert post({**form, **proof(other)}).status_code == 401


def test_two_proofs_are_one_too_many(approval: Approval) -> None:
    basic = {"Authorization": "Basic " + base64.b64encode(f"{CLIENT_ID}:x".encode()).decode()}
    for extra, headers in (({"client_secret": "x"}, {}), ({}, basic)):
        answer = post({**approval.form, **proof(assertion()), **extra}, **headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_no_other_proof_stands_in_for_it(approval: Approval) -> None:
    """Neither none at all, nor the secret that every row has and nobody knows, nor another kind of assertion."""
    for proved in ({}, {"client_secret": "x"}, proof(assertion(), client_assertion_type=f"{TYPE}x"),
                   {"client_assertion_type": TYPE}, {"client_assertion": assertion()}):  # fmt: skip
        assert redeem(approval, proved).status_code == 401, proved


def test_a_client_of_another_method_cannot_use_one(db: None) -> None:
    approval = approve(client=make_client(CLIENT_ID))
    assert redeem(approval, proof(assertion())).status_code == 401


def test_a_disabled_client_is_out(approval: Approval) -> None:
    Client.objects.update(disabled_at=timezone.now())
    assert redeem(approval, proof(assertion())).status_code == 401
    assert not UsedAssertion.objects.exists()


def test_a_resource_server_has_a_secret_and_no_key(approval: Approval) -> None:
    make_resource_server(make_resource("https://other.example/mcp"), client_id=CLIENT_ID)
    answer = post({"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": "x",
                   "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", **proof(assertion())})  # fmt: skip
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_key_that_has_turned_over_is_tried_among_the_others(db: None) -> None:
    newer = ec.generate_private_key(ec.SECP256R1())
    keys = [public_jwk(KEYS["ES256"], "ES256"), public_jwk(newer, "ES256", kid="newer")]
    approval = approve(client=make(keys))
    refresh_token = redeem(approval, proof(assertion(key=newer))).json()["refresh_token"]
    assert post({**approval.refresh_form(refresh_token), **proof(assertion())}).status_code == 200
