"""OpenID Connect Discovery, RFC 8414, RFC 7517."""

from __future__ import annotations

import jwt

from tests.unit.demo.conftest import IdP


def test_the_issuer_stands_in_discovery_and_begins_every_endpoint(idp: IdP) -> None:
    document = idp.get("/.well-known/openid-configuration").json()
    assert document["issuer"] == idp.issuer
    addresses = [name for name in document if name.endswith(("_endpoint", "_uri"))]
    assert len(addresses) == 5
    assert all(document[name].startswith(f"{idp.issuer}/") for name in addresses)


def test_discovery_promises_what_a_careful_client_looks_for(idp: IdP) -> None:
    document = idp.get("/.well-known/openid-configuration").json()
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["response_types_supported"] == ["code"]
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]


def test_a_knob_changes_algorithm_and_client_authentication_in_discovery_too(idp: IdP) -> None:
    idp.turn(alg="ES256", auth_methods=["client_secret_basic"])
    document = idp.get("/.well-known/openid-configuration").json()
    assert document["id_token_signing_alg_values_supported"] == ["ES256"]
    assert document["token_endpoint_auth_methods_supported"] == ["client_secret_basic"]


def test_the_key_set_shows_public_members_only(idp: IdP) -> None:
    idp.turn(alg="ES256", rotate_keys="overlap")
    idp.turn(alg="RS256", rotate_keys="overlap")
    keys = idp.get("/jwks").json()["keys"]
    assert {key["kty"] for key in keys} == {"RSA", "EC"}
    assert all({"kid", "use", "alg"} <= key.keys() for key in keys)
    assert not any({"d", "p", "q", "dp", "dq", "qi", "k"} & key.keys() for key in keys)


def test_the_key_set_is_the_same_at_every_call(idp: IdP) -> None:
    assert idp.get("/jwks").json() == idp.get("/jwks").json()


def test_a_rotation_with_overlap_keeps_the_old_key_published(idp: IdP) -> None:
    before = {key["kid"] for key in idp.get("/jwks").json()["keys"]}
    idp.turn(rotate_keys="overlap")
    after = [key["kid"] for key in idp.get("/jwks").json()["keys"]]
    assert before < set(after)
    signed_by = jwt.get_unverified_header(idp.sign_in()["id_token"])["kid"]
    assert signed_by == after[0]
    assert signed_by not in before


def test_a_replaced_key_is_gone_at_once(idp: IdP) -> None:
    before = {key["kid"] for key in idp.get("/jwks").json()["keys"]}
    idp.turn(rotate_keys="replace")
    after = {key["kid"] for key in idp.get("/jwks").json()["keys"]}
    assert len(after) == 1
    assert not before & after
