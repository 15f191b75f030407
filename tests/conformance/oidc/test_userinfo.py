"""UserInfo (OpenID Connect Core 1.0 section 5.3), and the bearer token that opens it (RFC 6750)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client as Http

from tests.conformance.oidc.relying_party import ask, document
from tests.harness.approval import Approval, approve, make_user
from tests.harness.oauth import claims
from tests.harness.registration import registered

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

FORM = "application/x-www-form-urlencoded"
OPENID = ("openid", "mcp:tools")


def approved(*scopes: str) -> Approval:
    return approve(scopes=(*OPENID, *scopes), user=make_user(name="Ada Lovelace", email="ada@example.com"))


def post_form(fields: dict[str, str], **headers: str) -> Any:
    return Http().post("/oauth/userinfo", urlencode(fields), content_type=FORM, headers=headers)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_header_gives_the_subject_of_the_id_token(method: str) -> None:
    tokens = approved().redeem()
    answer = ask(tokens["access_token"], method)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.json() == {"sub": claims(tokens["id_token"])["sub"]}


def test_the_form_of_a_post_does_as_well() -> None:
    tokens = approved().redeem()
    assert post_form({"access_token": tokens["access_token"]}).json() == {"sub": claims(tokens["id_token"])["sub"]}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_schemes_case_does_not_matter(scheme: str) -> None:
    answer = Http().get("/oauth/userinfo", headers={"Authorization": f"{scheme} {approved().redeem()['access_token']}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("scopes", "told"),
    [
        (("profile",), {"name": "Ada Lovelace"}),
        (("email",), {"email": "ada@example.com", "email_verified": True}),
        (("profile", "email"), {"name": "Ada Lovelace", "email": "ada@example.com", "email_verified": True}),
    ],
    ids=["profile", "email", "both"],
)
def test_it_tells_what_was_approved_and_no_more(scopes: tuple[str, ...], told: dict[str, Any]) -> None:
    approval = approved(*scopes)
    answer = ask(approval.redeem()["access_token"])
    assert answer.json() == {"sub": str(approval.user.pk), **told}


def test_what_is_not_known_is_left_out() -> None:
    approval = approve(scopes=(*OPENID, "profile", "email"))
    assert ask(approval.redeem()["access_token"]).json() == {"sub": str(approval.user.pk)}


def test_every_answer_is_stored_nowhere() -> None:
    tokens = approved().redeem()
    for answer in (ask(tokens["access_token"]), ask(), ask("made-up"), ask(tokens["access_token"], "PUT")):
        assert answer["Cache-Control"] == "no-store"


def test_without_a_token_the_challenge_names_no_error() -> None:
    for answer in (ask(), ask(None, "POST"), post_form({"other": "x"}), ask(None, Authorization="Basic dXM6dGhlbQ==")):
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="authserver"')
        assert answer.json() == {}


@pytest.mark.parametrize("unverified", ["", "x", "a.b.c", "ey.a.b", "é", "x" * 9000, "Bearer twice"])
def test_what_is_no_access_token_is_an_invalid_one(unverified: str) -> None:
    answer = ask(unverified)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert answer["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_no_other_token_of_ours_opens_it() -> None:
    approval = approved("email")
    tokens = approval.redeem()
    registration = registered()["registration_access_token"]
    for other in (tokens["id_token"], tokens["refresh_token"], approval.code, registration):
        answer = ask(other)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')


def test_without_openid_the_scope_is_insufficient() -> None:
    tokens = approve(scopes=("mcp:tools", "profile", "email")).redeem()
    answer = ask(tokens["access_token"])
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    assert answer["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="openid"'


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_in_the_address_is_refused_whatever_it_is(method: str) -> None:
    token = approved().redeem()["access_token"]
    answer = Http().generic(method, f"/oauth/userinfo?access_token={token}")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert answer["WWW-Authenticate"] == 'Bearer error="invalid_request"'


def test_a_token_twice_is_refused() -> None:
    token = approved().redeem()["access_token"]
    for answer in (
        post_form({"access_token": token}, Authorization=f"Bearer {token}"),
        Http().post("/oauth/userinfo", f"access_token={token}&access_token={token}", content_type=FORM),
    ):
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "body", [b"access_token=%zz", b"access_token=%00", b"access_token=%ff", b"\xff\xfe=", b"=&=&&"]
)
def test_a_damaged_form_is_the_callers_fault(body: bytes) -> None:
    assert Http().post("/oauth/userinfo", body, content_type=FORM).status_code in {400, 401}


def test_other_bodies_are_not_read() -> None:
    token = approved().redeem()["access_token"]
    http = Http()
    answer = http.post("/oauth/userinfo", {"access_token": token}, content_type="application/json")
    assert (answer.status_code, answer.json()) == (401, {})
    headers = {"Authorization": f"Bearer {token}"}
    assert http.post("/oauth/userinfo", "{}", content_type="application/json", headers=headers).status_code == 200


def test_a_body_that_is_too_large_is_refused_in_json() -> None:
    answer = Http().post("/oauth/userinfo", "x" * 70_000, content_type=FORM)
    assert (answer.status_code, answer.json()["error"]) == (413, "invalid_request")


def test_a_web_page_may_ask_without_credentials() -> None:
    http, page = Http(enforce_csrf_checks=True), {"Origin": "https://app.example"}
    preflight = http.options("/oauth/userinfo", headers={**page, "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 204
    assert "Authorization" in preflight["Access-Control-Allow-Headers"]
    assert preflight["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS"
    token = approved().redeem()["access_token"]
    for answer in (
        preflight,
        http.get("/oauth/userinfo", headers={**page, "Authorization": f"Bearer {token}"}),
        http.get("/oauth/userinfo", headers=page),
        http.post("/oauth/userinfo", f"access_token={token}", content_type=FORM, headers=page),
    ):
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert "WWW-Authenticate" in answer.get("Access-Control-Expose-Headers", "WWW-Authenticate")
        assert "Access-Control-Allow-Credentials" not in answer


def test_a_cookie_says_nothing_here() -> None:
    approval = approved()
    http = Http()
    http.force_login(approval.user)
    assert http.get("/oauth/userinfo").status_code == 401


def test_other_methods_are_told_which_there_are() -> None:
    answer = ask("x", "DELETE")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, POST, OPTIONS")


def test_it_is_where_discovery_says() -> None:
    assert document()["userinfo_endpoint"] == "http://localhost:8000/oauth/userinfo"
