"""ID tokens (OpenID Connect Core 1.0 sections 2, 3.1.3 and 12.2), checked as a relying party checks them."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from authserver import keys
from authserver.keys.material import generate
from authserver.models import IDToken, Resource
from tests.conformance.oidc.relying_party import ISSUER, checked
from tests.conformance.oidc.relying_party import keys as public_keys
from tests.harness.approval import Approval, approve, make_resource, make_user, post
from tests.harness.oauth import claims, header

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

OPENID = ("openid", "mcp:tools")


def refreshed(approval: Approval, tokens: dict[str, Any], **extra: str) -> dict[str, Any]:
    answer = post(approval.refresh_form(tokens["refresh_token"], **extra))
    assert answer.status_code == 200, answer.content
    return answer.json()  # type: ignore[no-any-return]


def test_a_code_for_openid_gives_an_id_token_of_exactly_these_claims() -> None:
    an_hour_ago = timezone.now() - timedelta(hours=1)
    approval = approve(scopes=OPENID, nonce="n-0S6_WzA2Mj", auth_time=an_hour_ago)
    tokens = approval.redeem()
    said = checked(tokens["id_token"], approval.client.client_id)
    assert set(said) == {"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash"}
    assert said["sub"] == str(approval.user.pk) == claims(tokens["access_token"])["sub"]
    assert said["auth_time"] == int(an_hour_ago.timestamp())
    assert said["nonce"] == "n-0S6_WzA2Mj"
    assert said["exp"] - said["iat"] == 600


def test_at_hash_is_the_left_half_of_the_access_tokens_hash() -> None:
    tokens = approve(scopes=OPENID).redeem()
    assert header(tokens["id_token"])["alg"] == "ES256"
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims(tokens["id_token"])["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()


def test_authlib_takes_it() -> None:
    core = pytest.importorskip("authlib.oidc.core")
    joserfc = pytest.importorskip("joserfc.jwt")
    jwk = pytest.importorskip("joserfc.jwk")
    approval = approve(scopes=(*OPENID, "email"), user=make_user(email="ada@example.com"), nonce="once")
    tokens = approval.redeem()
    read = joserfc.decode(tokens["id_token"], jwk.KeySet.import_key_set(public_keys()), algorithms=["ES256"])
    id_token = core.CodeIDToken(
        read.claims,
        read.header,
        options={"iss": {"values": [ISSUER]}, "aud": {"values": [approval.client.client_id]}},
        params={
            "nonce": "once",
            "client_id": approval.client.client_id,
            "access_token": tokens["access_token"],
            "max_age": 60,
        },
    )
    id_token.validate()
    assert id_token["email"] == "ada@example.com"


def test_without_a_nonce_there_is_none() -> None:
    assert "nonce" not in claims(approve(scopes=OPENID).redeem()["id_token"])


def test_without_openid_there_is_no_id_token_neither_at_first_nor_later() -> None:
    approval = approve(scopes=("mcp:tools", "profile", "email"))
    tokens = approval.redeem()
    assert "id_token" not in tokens
    assert "id_token" not in refreshed(approval, tokens)


@pytest.mark.parametrize(
    ("scopes", "told"),
    [
        ((), {}),
        (("profile",), {"name": "Ada Lovelace"}),
        (("email",), {"email": "ada@example.com", "email_verified": True}),
        (("profile", "email"), {"name": "Ada Lovelace", "email": "ada@example.com", "email_verified": True}),
    ],
    ids=["nothing", "profile", "email", "both"],
)
def test_name_and_address_are_told_only_as_approved(scopes: tuple[str, ...], told: dict[str, Any]) -> None:
    approval = approve(scopes=(*OPENID, *scopes), user=make_user(name="Ada Lovelace", email="ada@example.com"))
    tokens = approval.redeem()
    for id_token in (tokens["id_token"], refreshed(approval, tokens)["id_token"]):
        said = checked(id_token, approval.client.client_id)
        assert {name: said[name] for name in ("name", "email", "email_verified") if name in said} == told


def test_of_a_person_without_a_verified_address_nothing_is_said_about_one() -> None:
    said = claims(approve(scopes=(*OPENID, "profile", "email")).redeem()["id_token"])
    assert not {"name", "email", "email_verified"} & set(said)


def test_a_refresh_tells_of_the_same_sign_in_and_names_no_nonce() -> None:
    yesterday = timezone.now() - timedelta(days=1)
    approval = approve(scopes=OPENID, nonce="once", auth_time=yesterday)
    tokens = approval.redeem()
    first = checked(tokens["id_token"], approval.client.client_id)
    for _ in range(2):
        tokens = refreshed(approval, tokens)
        again = checked(tokens["id_token"], approval.client.client_id)
        assert all(again[name] == first[name] for name in ("iss", "sub", "aud", "auth_time"))
        assert again["iat"] >= first["iat"]
        assert "nonce" not in again
        half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
        assert again["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()


def test_a_replayed_refresh_gives_the_very_same_id_token() -> None:
    approval = approve(scopes=OPENID)
    tokens = approval.redeem()
    assert refreshed(approval, tokens) == refreshed(approval, tokens)


def test_a_refresh_for_less_than_openid_gives_no_id_token() -> None:
    approval = approve(scopes=OPENID)
    assert "id_token" not in refreshed(approval, approval.redeem(), scope="mcp:tools")


def test_none_is_stored() -> None:
    approve(scopes=OPENID).redeem()
    assert not IDToken.objects.exists()


def test_it_costs_no_statement() -> None:
    def sent(scopes: tuple[str, ...], resource: Resource) -> tuple[int, int]:
        approval = approve(scopes=scopes, user=make_user(name="Ada", email="ada@example.com"), resource=resource)
        with CaptureQueriesContext(connection) as at_code:
            tokens = approval.redeem()
        with CaptureQueriesContext(connection) as at_refresh:
            refreshed(approval, tokens)
        return len(at_code), len(at_refresh)

    plain, telling = make_resource(), make_resource("https://other.example.com/mcp", claims=["email", "name"])
    sent(OPENID, plain)  # keys parsed, policy read
    assert sent((*OPENID, "profile", "email"), telling) == sent(("mcp:tools",), plain)


@pytest.mark.parametrize("words", ["access_token", "id_token"])
def test_neither_kind_of_token_passes_for_the_other(words: str) -> None:
    tokens = approve(scopes=OPENID).redeem()
    assert header(tokens[words])["typ"] == {"access_token": "at+jwt", "id_token": "JWT"}[words]


def test_an_unknown_key_does_not_verify_it() -> None:
    approval = approve(scopes=OPENID)
    tokens = approval.redeem()
    said = claims(tokens["id_token"])
    forged = generate().sign(said, "JWT")
    assert header(forged)["kid"] not in {key["kid"] for key in public_keys()["keys"]}
    assert keys.signer().verification_key(header(forged)["kid"]) is None
