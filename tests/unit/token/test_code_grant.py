"""The authorization code grant at `/oauth/token`."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.vault import vault
from accounts.vault.base import SessionGone
from authserver.models import Client, Grant, RefreshToken, Resource
from tests.harness.approval import approve, make_client, make_resource, post
from tests.harness.oauth import claims, header

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def is_alive(tsid: str) -> bool:
    try:
        vault().sessions.alive(tsid, now=timezone.now())
    except SessionGone:
        return False
    return True


def test_a_code_gives_a_jwt_that_names_its_session() -> None:
    approval = approve()
    answer = post(approval.form)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"
    body = answer.json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 3600
    assert body["scope"] == "mcp:tools mcp:admin"
    assert None not in body.values()
    said = claims(body["access_token"])
    assert header(body["access_token"])["typ"] == "at+jwt"
    assert header(body["access_token"])["alg"] == "ES256"
    assert set(said) == {"iss", "sub", "aud", "client_id", "scope", "iat", "exp", "jti", "tsid"}
    assert said["iss"] == "http://localhost:8000"
    assert said["sub"] == str(approval.user.pk)
    assert said["aud"] == approval.resource.identifier
    assert said["client_id"] == approval.client.client_id
    assert said["tsid"] == approval.tsid
    assert said["exp"] - said["iat"] == 3600


def test_neither_codes_nor_refresh_tokens_are_stored_as_they_are() -> None:
    approval = approve()
    refresh_token = approval.redeem()["refresh_token"]
    row = RefreshToken.objects.get()
    assert refresh_token not in str(vars(row))
    assert approval.code not in str(vars(Grant.objects.get()))


def test_a_second_redemption_is_refused_and_ends_the_session() -> None:
    approval = approve()
    tokens = approval.redeem()
    replay = post(approval.form)
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert not is_alive(approval.tsid)
    assert post(approval.refresh_form(tokens["refresh_token"])).json()["error"] == "invalid_grant"


def test_a_replay_without_the_verifier_ends_nothing() -> None:
    approval = approve()
    tokens = approval.redeem()
    assert post({**approval.form, "code_verifier": "x" * 43}).json()["error"] == "invalid_grant"
    assert post(approval.refresh_form(tokens["refresh_token"])).status_code == 200


def test_a_wrong_verifier_does_not_burn_the_code() -> None:
    approval = approve()
    for _ in range(4):
        assert post({**approval.form, "code_verifier": "w" * 43}).json()["error"] == "invalid_grant"
    assert post(approval.form).status_code == 200


def test_five_wrong_verifiers_burn_the_code() -> None:
    approval = approve()
    for _ in range(5):
        assert post({**approval.form, "code_verifier": "w" * 43}).json()["error"] == "invalid_grant"
    assert post(approval.form).json()["error"] == "invalid_grant"
    assert not RefreshToken.objects.exists()


@pytest.mark.parametrize("change", ["expired", "other_client", "other_redirect", "inactive", "closed"])
def test_a_code_that_does_not_fit_is_refused_and_leaves_nothing(change: str) -> None:
    approval = approve(now=timezone.now() - timedelta(seconds=61) if change == "expired" else None)
    form = dict(approval.form)
    if change == "other_client":
        form["client_id"] = make_client().client_id
    if change == "other_redirect":
        form["redirect_uri"] = "http://127.0.0.1:7777/other"
    if change == "inactive":
        approval.user.is_active = False
        approval.user.save()
    if change == "closed":
        vault().sessions.close(approval.tsid, reason="test", now=timezone.now())
    answer = post(form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert not RefreshToken.objects.exists()
    if change in {"other_client", "other_redirect"}:
        assert post(approval.form).status_code == 200


def test_an_absent_redirect_uri_is_the_authorized_one() -> None:
    approval = approve()
    form = {name: value for name, value in approval.form.items() if name != "redirect_uri"}
    assert post(form).status_code == 200


@pytest.mark.parametrize("mangle", ["", "x", "a" * 43, "A" * 8000, "eyJhbGciOiJub25lIn0.e30."])
def test_a_made_up_code_is_refused(mangle: str) -> None:
    approval = approve()
    assert post({**approval.form, "code": mangle}).json()["error"] in {"invalid_grant", "invalid_request"}


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + "a", lambda c: c.swapcase(), lambda c: "~" + c[1:]])
def test_a_code_altered_in_one_place_is_refused(change) -> None:  # type: ignore[no-untyped-def]
    approval = approve()
    assert post({**approval.form, "code": change(approval.code)}).json()["error"] == "invalid_grant"


def test_no_verifier_gives_no_token() -> None:
    approval = approve()
    form = {name: value for name, value in approval.form.items() if name != "code_verifier"}
    assert post(form).json()["error"] == "invalid_request"


def test_the_resource_at_the_token_endpoint_is_the_authorized_one() -> None:
    approval = approve(resource=make_resource("https://mcp.example.com/"))
    make_resource("https://other.example.com/mcp")
    assert post({**approval.form, "resource": "https://other.example.com/mcp"}).json()["error"] == "invalid_target"
    assert post({**approval.form, "resource": "not a uri"}).json()["error"] == "invalid_target"
    answer = post({**approval.form, "resource": "HTTPS://MCP.example.com:443"})
    assert claims(answer.json()["access_token"])["aud"] == "https://mcp.example.com/"


def test_a_disabled_resource_gets_no_token() -> None:
    approval = approve()
    Resource.objects.update(enabled=False)
    assert post(approval.form).json()["error"] == "invalid_target"


def test_a_client_without_the_refresh_grant_gets_no_refresh_token() -> None:
    approval = approve(client=make_client(grant_types=["authorization_code"]))
    assert "refresh_token" not in approval.redeem()
    assert not RefreshToken.objects.exists()


def test_a_resource_may_have_its_own_lifetime() -> None:
    approval = approve(resource=make_resource(access_token_lifetime_seconds=300))
    assert approval.redeem()["expires_in"] == 300


def test_a_disabled_client_is_unknown() -> None:
    approval = approve()
    Client.objects.update(disabled_at=timezone.now())
    answer = post(approval.form)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_openid_brings_an_id_token_for_the_client() -> None:
    approval = approve(scopes=("openid", "mcp:tools"))
    Grant.objects.update(nonce="n-0S6_WzA2Mj")
    body = approval.redeem()
    said = claims(body["id_token"])
    assert header(body["id_token"])["typ"] == "JWT"
    assert said["aud"] == approval.client.client_id
    assert said["nonce"] == "n-0S6_WzA2Mj"
    assert said["sub"] == str(approval.user.pk)
    assert "tsid" not in said


def test_no_cache_keeps_the_answer() -> None:
    approval = approve()
    for answer in (post({**approval.form, "code_verifier": "w" * 43}), post(approval.form)):
        assert "no-store" in answer["Cache-Control"]
