"""The token endpoint and what its tokens open: RFC 6749, RFC 7636, RFC 6750, RFC 7009."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.unit.demo.conftest import VERIFIER, IdP, basic
from upstream.demo.models import AccessToken, Code, Grant, RefreshToken, SigningKey


def test_a_code_gives_tokens_for_the_person_who_was_chosen(idp: IdP) -> None:
    answer = idp.sign_in("grace")
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 60
    assert answer["scope"] == "openid profile email offline_access demo:read"
    me = idp.get("/api/me", answer["access_token"]).json()
    assert (me["login"], me["name"], me["email"]) == ("grace", "Grace Hopper", "grace@example.com")
    assert me["scopes"] == answer["scope"].split()


def test_an_answer_with_tokens_is_never_stored_by_a_cache(idp: IdP) -> None:
    assert idp.redeem(idp.code()).headers["Cache-Control"] == "no-store"


def test_no_code_or_token_is_in_the_database(idp: IdP) -> None:
    code = idp.code()
    answer = idp.redeem(code).json()
    values = {code, answer["access_token"], answer["refresh_token"]}
    for model in (Code, AccessToken, RefreshToken, Grant, SigningKey):
        rows = repr(list(model.objects.values()))
        assert not any(value in rows for value in values)


def test_a_code_works_once_and_its_replay_ends_what_it_gave(idp: IdP) -> None:
    code = idp.code()
    answer = idp.redeem(code).json()
    replay = idp.redeem(code)
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert idp.get("/api/me", answer["access_token"]).status_code == 401
    assert idp.refresh(answer["refresh_token"]).json()["error"] == "invalid_grant"
    assert idp.counters["code_replays"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_verifier": VERIFIER[::-1]},
        {"code_verifier": "short"},
        {"code_verifier": "ä" * 43},
        {"redirect_uri": "http://localhost:8000/oauth/callback"},
        {"code": "code_unknown"},
    ],
)
def test_a_wrong_redemption_is_invalid_grant_and_leaves_the_code_good(idp: IdP, wrong: dict[str, str]) -> None:
    code = idp.code()
    response = idp.redeem(code, **wrong)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    assert idp.redeem(code).status_code == 200


@pytest.mark.parametrize("missing", ["grant_type", "code", "redirect_uri", "code_verifier"])
def test_a_missing_parameter_is_invalid_request(idp: IdP, missing: str) -> None:
    response = idp.redeem(idp.code(), **{missing: ""})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


def test_another_grant_type_is_unsupported(idp: IdP) -> None:
    response = idp.token(grant_type="client_credentials")
    assert (response.status_code, response.json()["error"]) == (400, "unsupported_grant_type")


def test_a_code_expires(idp: IdP) -> None:
    code = idp.code()
    Code.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert idp.redeem(code).json()["error"] == "invalid_grant"


def test_a_client_may_send_its_secret_in_the_header_or_in_the_body(idp: IdP) -> None:
    form = {"client_id": "authserver-demo", "client_secret": "demo-client-secret-for-tests"}
    in_body = idp.http.post(
        f"{idp.path}/token",
        f"grant_type=refresh_token&refresh_token=x&client_id={form['client_id']}&client_secret={form['client_secret']}",
        content_type="application/x-www-form-urlencoded",
    )
    assert in_body.json()["error"] == "invalid_grant"
    both = idp.refresh("x", **form)
    assert both.json()["error"] == "invalid_request"


def test_a_basic_secret_is_form_encoded_before_it_is_joined(idp: IdP) -> None:
    idp.turn(clients=[{"client_id": "a:b", "client_secret": "c+d %é", "redirect_uris": []}])
    good = basic("a%3Ab", "c%2Bd+%25%C3%A9")
    assert idp.token(good, grant_type="refresh_token", refresh_token="x").json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "credentials",
    [
        basic("authserver-demo", "wrong"),
        basic("authserver-demo", ""),
        basic("nobody", "demo-client-secret-for-tests"),
        "Basic not-base64!",
        "Basic " + "bm8gY29sb24=",
        "Basic /w==",
        "Bearer demo-client-secret-for-tests",
    ],
)
def test_bad_client_credentials_are_401_with_a_challenge(idp: IdP, credentials: str) -> None:
    response = idp.token(credentials, grant_type="refresh_token", refresh_token="x")
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert response.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_provider_may_take_only_one_way_of_client_authentication(idp: IdP) -> None:
    idp.turn(auth_methods=["client_secret_post"])
    assert idp.refresh("x").json()["error"] == "invalid_client"


def test_another_client_cannot_use_the_code_or_the_refresh_token(idp: IdP) -> None:
    idp.turn(clients=[{"client_id": "other", "client_secret": "s", "redirect_uris": []}])
    answer = idp.sign_in()
    other = basic("other", "s")
    stolen = idp.token(other, grant_type="refresh_token", refresh_token=answer["refresh_token"])
    assert stolen.json()["error"] == "invalid_grant"
    idp.post("/revoke", other, {"token": answer["refresh_token"]})
    assert idp.refresh(answer["refresh_token"]).status_code == 200


def test_an_access_token_dies_after_its_seconds(idp: IdP) -> None:
    idp.turn(access_token_seconds=5)
    answer = idp.sign_in()
    assert answer["expires_in"] == 5
    AccessToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    response = idp.get("/api/me", answer["access_token"])
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


def test_the_api_challenges_who_brings_no_token_without_an_error_code(idp: IdP) -> None:
    response = idp.get("/api/me")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == f'Bearer realm="{idp.issuer}"'


def test_userinfo_says_what_the_scopes_allow(idp: IdP) -> None:
    full = idp.get("/userinfo", idp.sign_in()["access_token"]).json()
    assert (full["name"], full["email"], full["email_verified"]) == ("Ada Lovelace", "ada@example.com", True)
    least = idp.get("/userinfo", idp.sign_in(scope="openid")["access_token"])
    assert least.json() == {"sub": full["sub"]}
    assert idp.get("/userinfo", idp.sign_in(scope="demo:read")["access_token"]).status_code == 403


def test_userinfo_takes_post_too(idp: IdP) -> None:
    headers = {"Authorization": f"Bearer {idp.sign_in()['access_token']}"}
    assert idp.http.post(f"{idp.path}/userinfo", headers=headers).json()["email"] == "ada@example.com"


def test_people_may_grant_less_than_was_asked(idp: IdP) -> None:
    idp.turn(granted_scopes=["openid", "demo:read"])
    answer = idp.sign_in()
    assert answer["scope"] == "openid demo:read"
    assert idp.get("/api/me", answer["access_token"]).json()["scopes"] == ["openid", "demo:read"]


def test_a_revoked_access_token_dies_alone(idp: IdP) -> None:
    answer = idp.sign_in()
    assert idp.revoke(answer["access_token"]).status_code == 200
    assert idp.get("/api/me", answer["access_token"]).status_code == 401
    assert idp.refresh(answer["refresh_token"]).status_code == 200


def test_a_revoked_refresh_token_of_any_generation_ends_the_family(idp: IdP) -> None:
    first = idp.sign_in()
    second = idp.refresh(first["refresh_token"]).json()
    assert idp.revoke(first["refresh_token"]).status_code == 200
    assert idp.get("/api/me", second["access_token"]).status_code == 401
    assert idp.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"


def test_revoking_what_is_unknown_is_200_and_without_a_token_400(idp: IdP) -> None:
    assert idp.revoke("rt_unknown").status_code == 200
    assert idp.revoke("").json()["error"] == "invalid_request"
    assert idp.post("/revoke", basic("nobody", "x"), {"token": "x"}).status_code == 401


def test_slack_nests_the_answer_and_github_joins_scopes_with_commas(idp: IdP) -> None:
    idp.turn(nested_answer="authed_user", comma_scopes=True)
    answer = idp.sign_in(scope="openid,demo:read")
    assert answer["ok"] is True
    assert answer["authed_user"]["scope"] == "openid,demo:read"
    assert idp.get("/api/me", answer["authed_user"]["access_token"]).status_code == 200


def test_github_answers_errors_with_200(idp: IdP) -> None:
    idp.turn(errors_with_200=True)
    response = idp.refresh("x")
    assert (response.status_code, response.json()["error"]) == (200, "invalid_grant")
    assert idp.get("/api/me").status_code == 401


def test_every_issued_value_carries_the_canary(idp: IdP) -> None:
    idp.turn(canary="CANARY.")
    code = idp.code()
    answer = idp.redeem(code).json()
    assert all(value.startswith("CANARY.") for value in (code, answer["access_token"], answer["refresh_token"]))
