"""Discovery (OpenID Connect Discovery 1.0 section 3; RFC 8414 section 2): each value that is listed is held to what happens."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client as Http
from django.urls import Resolver404, get_resolver, resolve

from tests.conformance.oidc.conftest import PRIVATE_KEYS, PemKeys
from tests.conformance.oidc.relying_party import ISSUER, ask, checked, document
from tests.harness.approval import approve, make_resource, make_user, post
from tests.harness.oauth import claims, header
from tests.unit.authorize.answers import sent_to
from tests.unit.authorize.conftest import Door

pytestmark = pytest.mark.django_db

STANDARD_CLAIMS = {"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash"}
HASHES: dict[str, Any] = {  # OpenID Connect Core section 3.1.3.6; Ed25519 hashes with SHA-512 inside
    "ES256": hashlib.sha256,
    "ES384": hashlib.sha384,
    "ES512": hashlib.sha512,
    "EdDSA": hashlib.sha512,
    "RS256": hashlib.sha256,
}
SAME_IN_BOTH = {
    "userinfo_endpoint",
    "end_session_endpoint",
    "subject_types_supported",
    "claims_supported",
    "prompt_values_supported",
}


def oauth() -> dict[str, Any]:
    return Http().get("/.well-known/oauth-authorization-server").json()  # type: ignore[no-any-return]


def test_both_documents_say_the_same_but_for_the_scopes() -> None:
    openid = document()
    assert openid.pop("scopes_supported") == ["openid", "profile", "email"]
    assert openid == oauth()
    assert set(openid) >= SAME_IN_BOTH


def test_every_required_member_is_there_and_none_is_empty() -> None:
    required = {
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    }
    found = document()
    assert required <= set(found)
    assert found["issuer"] == ISSUER
    assert [name for name, value in found.items() if value is None or value in ([], "")] == []


def test_every_endpoint_listed_is_served_under_the_issuer() -> None:
    listed = {name: value for name, value in document().items() if name.endswith(("_endpoint", "_uri"))}
    assert "userinfo_endpoint" in listed
    for name, url in listed.items():
        assert url.startswith(f"{ISSUER}/"), name
        resolve(urlsplit(url).path)


def test_what_is_not_listed_is_not_served() -> None:
    absent = {
        "check_session_iframe", "device_authorization_endpoint", "backchannel_logout_supported",
        "frontchannel_logout_supported", "pushed_authorization_request_endpoint",
        "userinfo_signing_alg_values_supported", "id_token_encryption_alg_values_supported", "acr_values_supported",
    }  # fmt: skip
    assert absent & set(document()) == set()
    paths = "/o/.well-known/openid-configuration", "/o/userinfo/", "/o/logout/", "/oauth/device"
    for path in paths:
        with pytest.raises(Resolver404):
            resolve(path)


def test_none_of_django_oauth_toolkits_own_views_is_mounted() -> None:
    def views(patterns: list[Any]) -> Iterator[str]:
        for pattern in patterns:
            if hasattr(pattern, "url_patterns"):
                yield from views(pattern.url_patterns)
            else:
                yield getattr(pattern.callback, "__module__", "")

    assert not [module for module in views(get_resolver().url_patterns) if module.startswith("oauth2_provider")]
    assert settings.OAUTH2_PROVIDER["OIDC_ENABLED"] is False


def test_the_algorithms_are_those_that_id_tokens_are_signed_with() -> None:
    approval = approve(scopes=("openid",))
    id_token = approval.redeem()["id_token"]
    assert document()["id_token_signing_alg_values_supported"] == [header(id_token)["alg"]]


@pytest.mark.parametrize("algorithm", list(PRIVATE_KEYS))
def test_every_kind_of_key_signs_id_tokens_that_verify_by_what_is_listed(algorithm: str, pem_keys: PemKeys) -> None:
    pem_keys(algorithm)
    approval = approve(scopes=("openid",))
    tokens = approval.redeem()
    assert document()["id_token_signing_alg_values_supported"] == [algorithm]
    said = checked(tokens["id_token"], approval.client.client_id)
    hashed = HASHES[algorithm](tokens["access_token"].encode()).digest()
    half = hashed[: len(hashed) // 2]
    assert said["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    assert ask(tokens["access_token"]).json() == {"sub": said["sub"]}


def test_while_keys_turn_over_the_algorithms_of_both_are_listed(pem_keys: PemKeys) -> None:
    pem_keys("ES256")
    approval = approve(scopes=("openid",))
    before = approval.redeem()
    pem_keys("RS256", "ES256")
    after = post(approval.refresh_form(before["refresh_token"])).json()
    assert document()["id_token_signing_alg_values_supported"] == ["RS256", "ES256"]
    for tokens, algorithm in ((before, "ES256"), (after, "RS256")):
        assert header(tokens["id_token"])["alg"] == algorithm
        assert checked(tokens["id_token"], approval.client.client_id)
        assert ask(tokens["access_token"]).status_code == 200


def test_each_claim_listed_is_given_and_no_other() -> None:
    person = make_user(name="Ada", email="ada@example.com")
    tokens = approve(scopes=("openid", "profile", "email"), user=person, nonce="once").redeem()
    listed = set(document()["claims_supported"])
    assert set(claims(tokens["id_token"])) == listed
    assert set(ask(tokens["access_token"]).json()) == listed - STANDARD_CLAIMS | {"sub"}


def test_the_subject_is_public_as_listed() -> None:
    assert document()["subject_types_supported"] == ["public"]
    person = make_user()
    said = [
        claims(approve(scopes=("openid",), user=person, resource=resource).redeem()["id_token"])
        for resource in (make_resource(), make_resource("https://other.example.com/mcp"))
    ]
    assert said[0]["aud"] != said[1]["aud"]
    assert said[0]["sub"] == said[1]["sub"]


def test_each_scope_listed_can_be_asked_for_and_offline_access_is_not_listed(door: Door) -> None:
    for scope in document()["scopes_supported"]:
        assert door.ask(scope=scope).status_code == 200
    assert "offline_access" not in document()["scopes_supported"]
    assert "scopes_supported" not in oauth()


def test_each_prompt_listed_is_taken_and_no_other(door: Door) -> None:
    listed = document()["prompt_values_supported"]
    assert listed == ["none", "login", "consent", "select_account"]
    answers = {prompt: door.ask(prompt=prompt) for prompt in listed}
    assert sent_to(answers.pop("none"))[1]["error"] == "login_required"
    assert {answer.status_code for answer in answers.values()} == {200}
    assert sent_to(door.ask(prompt="create"))[1]["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("member", "value", "changed", "error"),
    [
        ("response_types_supported", ["code"], {"response_type": "id_token"}, "unsupported_response_type"),
        ("response_types_supported", ["code"], {"response_type": "code id_token"}, "unsupported_response_type"),
        ("response_modes_supported", ["query"], {"response_mode": "form_post"}, "invalid_request"),
        ("response_modes_supported", ["query"], {"response_mode": "fragment"}, "invalid_request"),
        ("code_challenge_methods_supported", ["S256"], {"code_challenge_method": "plain"}, "invalid_request"),
        ("request_parameter_supported", False, {"request": "ey.a.b"}, "request_not_supported"),
        ("request_uri_parameter_supported", False, {"request_uri": "urn:x"}, "request_uri_not_supported"),
    ],
)
def test_what_is_said_not_to_be_served_is_refused(
    door: Door,
    member: str,
    value: Any,
    changed: dict[str, str],
    error: str,
) -> None:
    assert document()[member] == value
    assert sent_to(door.ask(**changed))[1]["error"] == error


def test_the_claims_parameter_is_not_served_and_so_asks_for_nothing(door: Door) -> None:
    assert document()["claims_parameter_supported"] is False
    wanted = '{"id_token":{"email":{"essential":true}}}'
    page = door.ask(scope="openid", claims=wanted).content.decode()
    assert "see your e-mail address" not in page
