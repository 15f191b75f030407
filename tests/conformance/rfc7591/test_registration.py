"""RFC 7591: what a client that registers itself is given, and what of its metadata is stored and enforced."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password
from django.test import Client as Http

from accounts.models import AuditEvent
from authserver.models import Client
from tests.harness.approval import approve, make_resource, post
from tests.harness.registration import REDIRECT_URI, register, registered, send

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

FULL = {
    "redirect_uris": [REDIRECT_URI, "http://127.0.0.1:7777/cb", "cursor://anysphere.cursor-mcp/oauth/callback"],
    "client_name": "An MCP client",
    "client_uri": "https://app.example/about#us",
    "logo_uri": "https://app.example/logo.png",
    "tos_uri": "https://app.example/tos",
    "policy_uri": "https://app.example/privacy",
    "contacts": ["dev@app.example"],
    "software_id": "4NRB1-0XZABZI9E6-5SM3R",
    "software_version": "2.3.0",
    "scope": "openid profile",
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}


def test_a_public_client_gets_back_all_that_it_registered_and_no_secret() -> None:
    answer = send(FULL)
    assert answer.status_code == 201
    assert answer["Content-Type"] == "application/json"
    assert (answer["Cache-Control"], answer["Pragma"]) == ("no-store", "no-cache")
    body = answer.json()
    ours = {"client_id", "client_id_issued_at", "registration_client_uri", "registration_access_token"}
    assert {name: value for name, value in body.items() if name not in ours} == FULL
    assert ours <= body.keys()
    assert abs(body["client_id_issued_at"] - datetime.now(UTC).timestamp()) < 60
    assert body["registration_client_uri"] == f"http://localhost:8000/oauth/register/{body['client_id']}"


def test_the_least_a_client_may_send_is_a_redirect_uri() -> None:
    body = registered()
    assert body["token_endpoint_auth_method"] == "none"
    assert body["grant_types"] == ["authorization_code", "refresh_token"]
    assert body["response_types"] == ["code"]
    assert "client_secret" not in body
    assert "client_secret_expires_at" not in body
    assert None not in body.values()


def test_members_that_are_null_or_empty_count_as_absent_and_are_not_answered() -> None:
    optional = [name for name in FULL if name != "redirect_uris"]
    assert registered(**dict.fromkeys(optional)).keys() == registered().keys()
    texts = [name for name in optional if isinstance(FULL[name], str)]
    assert registered(**dict.fromkeys(texts, "")).keys() == registered().keys()


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_confidential_client_is_shown_its_secret_once_and_it_is_stored_hashed(method: str) -> None:
    body = registered(token_endpoint_auth_method=method)
    assert body["token_endpoint_auth_method"] == method
    assert body["client_secret_expires_at"] == 0
    assert len(body["client_secret"]) >= 43
    client = Client.objects.get(client_id=body["client_id"])
    assert client.client_type == Client.CLIENT_CONFIDENTIAL
    assert client.client_secret.startswith("random_secret_sha256$")
    assert check_password(body["client_secret"], client.client_secret)


def test_the_answered_method_is_the_one_the_token_endpoint_takes() -> None:
    body = registered(token_endpoint_auth_method="client_secret_post", redirect_uris=["http://127.0.0.1:7777/callback"])
    approval = approve(client=Client.objects.get(client_id=body["client_id"]))
    assert post(approval.form).status_code == 401
    assert post({**approval.form, "client_secret": body["client_secret"]}).status_code == 200


def test_a_public_client_has_a_secret_that_nobody_knows() -> None:
    stored = Client.objects.get(client_id=registered()["client_id"]).client_secret
    assert stored.startswith("random_secret_sha256$")
    assert not check_password("", stored)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("private_key_jwt", "client_secret_basic"),
        ("client_secret_jwt", "client_secret_basic"),
        ("tls_client_auth", "client_secret_basic"),
        ("a-method-of-tomorrow", "none"),
    ],
)
def test_an_unsupported_method_is_substituted_and_the_answer_says_so(asked: str, answered: str) -> None:
    body = registered(token_endpoint_auth_method=asked)
    assert body["token_endpoint_auth_method"] == answered
    assert ("client_secret" in body) == (answered != "none")
    assert Client.objects.get(client_id=body["client_id"]).token_endpoint_auth_method == answered


@pytest.mark.parametrize(
    "extra",
    [
        "client_credentials",
        "password",
        "implicit",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ],
)
def test_grants_we_do_not_serve_are_dropped_from_what_is_registered(extra: str) -> None:
    body = registered(grant_types=[extra, "authorization_code"])
    assert body["grant_types"] == ["authorization_code"]
    assert Client.objects.get(client_id=body["client_id"]).grant_types == ["authorization_code"]
    refused = register(grant_types=[extra])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")


def test_response_types_keep_code_and_nothing_else() -> None:
    assert registered(response_types=["code", "token", "id_token"])["response_types"] == ["code"]
    assert register(response_types=["token"]).json()["error"] == "invalid_client_metadata"


@pytest.mark.parametrize("scope", ["openid mcp:tools", ["openid", "mcp:tools"], "  openid  mcp:tools openid "])
def test_scope_comes_as_a_string_or_an_array_and_goes_as_a_string(scope: Any) -> None:
    make_resource()
    body = registered(scope=scope)
    assert body["scope"] == "openid mcp:tools"
    assert Client.objects.get(client_id=body["client_id"]).registered_scope == "openid mcp:tools"


def test_scopes_that_no_resource_has_are_not_registered() -> None:
    make_resource()
    make_resource("https://gone.example/mcp", scopes={"gone": ""}, enabled=False)
    assert registered(scope="admin mcp:tools vault:exchange gone")["scope"] == "mcp:tools"
    assert "scope" not in registered(scope="admin")


@pytest.mark.parametrize(
    "chosen", ["admin", "https://app.example/client.json", "'; DROP TABLE authserver_client; --", "a@b.example"]
)
def test_nobody_chooses_their_client_id_or_anything_else_that_is_ours(chosen: str) -> None:
    body = registered(
        client_id=chosen,
        client_secret="chosen",
        registration_access_token="chosen",
        client_id_issued_at=1,
        vouched_for=True,
        skip_authorization=True,
        allowed_scopes="admin",
        registration_source="manual",
    )
    assert re.fullmatch("dcr-[0-9a-f]{32}", body["client_id"])
    assert "chosen" not in body.values()
    client = Client.objects.get()
    assert (client.vouched_for, client.skip_authorization, client.allowed_scopes) == (False, False, "")
    assert client.registration_source == Client.RegistrationSource.DCR
    assert not client.identity_is_proven


def test_unknown_metadata_is_ignored_and_not_stored() -> None:
    body = registered(
        application_type="native",
        jwks_uri="http://169.254.169.254/",
        sector_identifier_uri="http://127.0.0.1/",
        x={"y": 1},
    )
    assert body.keys() == registered().keys()
    assert Client.objects.get(client_id=body["client_id"]).metadata == {}


def test_the_registration_token_is_stored_hashed() -> None:
    body = registered()
    row = Client.objects.values().get()
    assert len(row["registration_token_hash"]) == 64
    assert body["registration_access_token"] not in str(row)


def test_a_registration_is_in_the_audit_trail_and_its_secrets_are_not() -> None:
    body = registered(token_endpoint_auth_method="client_secret_basic")
    event = AuditEvent.objects.get(event="client.registered")
    assert (event.client_id, event.outcome, event.address) == (body["client_id"], "ok", "127.0.0.1")
    assert event.detail == {"hosts": ["app.example"], "auth_method": "client_secret_basic"}


def test_a_browser_session_neither_helps_nor_hinders() -> None:
    http = Http(enforce_csrf_checks=True)
    http.cookies["authserver-session"] = "a-session-of-somebody-signed-in-0"
    answer = http.post(
        "/oauth/register",
        data={"redirect_uris": [REDIRECT_URI]},
        content_type="application/json",
        headers={"Origin": "https://app.example"},
    )
    assert answer.status_code == 201
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer
    assert not answer.cookies


def test_a_web_page_of_another_origin_is_told_that_it_may_register_and_reads_errors_too() -> None:
    preflight = Http().options(
        "/oauth/register",
        headers={
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type, mcp-protocol-version",
        },
    )
    assert preflight.status_code == 204
    assert preflight["Access-Control-Allow-Origin"] == "*"
    assert "POST" in preflight["Access-Control-Allow-Methods"]
    assert "Content-Type" in preflight["Access-Control-Allow-Headers"]
    assert send({})["Access-Control-Allow-Origin"] == "*"


def test_ten_redirect_uris_are_the_most() -> None:
    uris = [f"https://app.example/{number}" for number in range(11)]
    assert registered(redirect_uris=uris[:10])["redirect_uris"] == uris[:10]
    assert register(redirect_uris=uris).json()["error"] == "invalid_redirect_uri"


def test_a_redirect_uri_given_twice_is_registered_once() -> None:
    assert registered(redirect_uris=[REDIRECT_URI, REDIRECT_URI])["redirect_uris"] == [REDIRECT_URI]


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
def test_a_registration_takes_three_statements_and_no_slow_hash(method: str, django_assert_num_queries: Any) -> None:
    registered()  # the policy is read, and the app is there
    with django_assert_num_queries(5):  # with SAVEPOINT and RELEASE, which are BEGIN and COMMIT outside a test
        registered(token_endpoint_auth_method=method)
