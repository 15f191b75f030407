"""Token introspection (RFC 7662): resource servers hear about tokens of their own resources, and of nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import TokenSession, User
from authserver import cascade, limits, mint
from authserver.models import App, Client, RefreshToken, Resource, ResourceServer
from tests.harness.approval import (
    RESOURCE_SERVER_SECRET,
    Approval,
    approve,
    make_client,
    make_provider,
    make_resource,
    make_resource_server,
    post,
)
from tests.harness.oauth import claims
from tests.harness.registration import registered

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
INACTIVE = {"active": False}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def approval() -> Approval:
    made = approve(provider=make_provider())
    make_resource_server(made.resource)
    return made


def ask(token: str, server: str = "rs-a", secret: str = RESOURCE_SERVER_SECRET, **headers: str) -> Any:
    form = {"token": token, "client_id": server, "client_secret": secret}
    return Http().post("/oauth/introspect", urlencode(form), content_type=FORM, headers=headers)


def test_an_access_token_is_told_with_all_that_it_says(approval: Approval) -> None:
    token = approval.redeem()["access_token"]
    answer = ask(token)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    says = claims(token)
    assert answer.json() == {
        "active": True,
        "token_type": "Bearer",
        **{name: says[name] for name in ("iss", "sub", "aud", "client_id", "scope", "iat", "exp", "jti", "tsid")},
    }


def test_a_refresh_token_is_told_while_it_is_the_newest(approval: Approval) -> None:
    first = approval.redeem()["refresh_token"]
    told = ask(first).json()
    assert (told["active"], told["tsid"], told["scope"]) == (True, approval.tsid, "mcp:tools mcp:admin")
    assert "token_type" not in told
    second = post(approval.refresh_form(first)).json()["refresh_token"]
    assert ask(first).json() == INACTIVE
    assert ask(second).json()["active"]


def test_basic_and_form_prove_a_caller(approval: Approval) -> None:
    token = approval.redeem()["access_token"]
    proof = base64.b64encode(f"rs-a:{RESOURCE_SERVER_SECRET}".encode()).decode()
    answer = Http().post(
        "/oauth/introspect", urlencode({"token": token}), content_type=FORM, headers={"Authorization": f"Basic {proof}"}
    )
    assert answer.json()["active"]


@pytest.mark.parametrize(
    ("server", "secret"),
    [
        ("rs-a", "wrong"),
        ("rs-a", ""),
        ("nobody", RESOURCE_SERVER_SECRET),
        ("public", ""),
        ("disabled", RESOURCE_SERVER_SECRET),
    ],
)
def test_nobody_else_hears_anything(approval: Approval, server: str, secret: str) -> None:
    make_client("public")
    make_resource_server(approval.resource, "disabled")
    ResourceServer.objects.filter(client_id="disabled").update(enabled=False)
    tokens = approval.redeem()
    for token in (tokens["access_token"], tokens["refresh_token"], "garbage"):
        answer = ask(token, server, secret)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_client_that_registered_itself_is_no_resource_server(approval: Approval) -> None:
    given = registered(token_endpoint_auth_method="client_secret_post")
    answer = ask(approval.redeem()["access_token"], given["client_id"], given["client_secret"])
    assert answer.status_code == 401


def test_tokens_of_other_resources_are_not_active_and_say_nothing(approval: Approval) -> None:
    make_resource_server(make_resource("https://other.example/mcp"), "rs-b")
    tokens = approval.redeem()
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert ask(token, "rs-b").json() == INACTIVE


def over(kind: str, approval: Approval) -> None:
    now = timezone.now()
    endings: dict[str, Callable[[], object]] = {
        "session": lambda: cascade.revoke_session(approval.tsid, reason="x"),
        "idle": lambda: TokenSession.objects.update(idle_expires_at=now),
        "person": lambda: User.objects.update(is_active=False),
        "client": lambda: Client.objects.update(disabled_at=now),
        "app": lambda: App.objects.update(state=App.State.BLOCKED),
        "resource": lambda: Resource.objects.update(enabled=False),
        "deleted": lambda: Client.objects.all().delete(),
    }
    endings[kind]()


@pytest.mark.parametrize("kind", ["session", "idle", "person", "client", "app", "resource", "deleted"])
def test_whatever_ends_it_it_is_inactive_at_once(kind: str, approval: Approval) -> None:
    tokens = approval.redeem()
    over(kind, approval)
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert ask(token).json() == INACTIVE


def test_tokens_of_every_other_kind_are_inactive(approval: Approval) -> None:
    tokens = approval.redeem()
    now, given = timezone.now(), registered()
    lived = {"subject": approval.user.pk, "audience": approval.resource.identifier, "scope": "mcp:tools",
             "client_id": approval.client.client_id, "tsid": approval.tsid, "lifetime_seconds": 60}  # fmt: skip
    expired = mint.access_token(**lived, now=now - timedelta(seconds=61))  # type: ignore[arg-type]
    id_token = mint.id_token(
        subject=approval.user.pk, client_id="rs-a", access_token="x", nonce="", auth_time=None, now=now
    )
    caller = mint.caller_token(client_id="rs-a", audience=approval.resource.identifier, now=now)
    head, body, signature = tokens["access_token"].split(".")
    unsigned = jwt.encode(claims(tokens["access_token"]), "", algorithm="none", headers={"typ": "at+jwt"})
    for token in (expired, id_token, caller, given["registration_access_token"], approval.code, unsigned, "", "garbage",
                  f"{head}.{body}.{signature[:-2]}", f"{head}.{body}.", f"{tokens['access_token']} ", "a.b.c",
                  tokens["refresh_token"][:-1], tokens["refresh_token"] + "A"):  # fmt: skip
        answer = ask(token)
        assert answer.json() == INACTIVE if token else answer.status_code == 400, token


def test_a_session_that_does_not_match_its_token_is_inactive(approval: Approval) -> None:
    token = approval.redeem()["access_token"]
    TokenSession.objects.update(client_id="another")
    assert ask(token).json() == INACTIVE


def test_the_persons_address_is_told_where_the_resource_asks_and_the_person_approved(approval: Approval) -> None:
    User.objects.update(email="ada@example.com")
    token = approval.redeem()["access_token"]
    assert "username" not in ask(token).json()
    Resource.objects.update(claims=["email"])
    assert "username" not in ask(token).json()
    TokenSession.objects.update(scope="mcp:tools email")
    assert ask(token).json()["username"] == "ada@example.com"


def test_a_signed_answer_is_for_its_caller_and_is_no_access_token(approval: Approval) -> None:
    token = approval.redeem()["access_token"]
    for asked, active in ((token, True), ("garbage", False)):
        answer = ask(asked, Accept="application/token-introspection+jwt")
        assert answer["Content-Type"] == "application/token-introspection+jwt"
        signed = answer.content.decode()
        jwks = jwt.PyJWKSet.from_dict(Http().get("/.well-known/jwks.json").json())
        head = jwt.get_unverified_header(signed)
        key = next(key for key in jwks.keys if key.key_id == head["kid"])
        says = jwt.decode(signed, key, algorithms=["ES256"], audience="rs-a")
        assert head["typ"] == "token-introspection+jwt"
        assert says["token_introspection"]["active"] is active
        assert "exp" not in says
        assert ask(signed).json() == INACTIVE
    assert ask(token, Accept="*/*")["Content-Type"] == "application/json"


@pytest.mark.parametrize("method", ["get", "put", "delete", "options"])
def test_it_is_posted_and_a_query_is_never_read(approval: Approval, method: str) -> None:
    form = {"client_id": "rs-a", "client_secret": RESOURCE_SERVER_SECRET, "token": approval.redeem()["access_token"]}
    answer = getattr(Http(), method)(f"/oauth/introspect?{urlencode(form)}")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert Http().post(f"/oauth/introspect?{urlencode(form)}", "", content_type=FORM).status_code in {400, 401}


@pytest.mark.parametrize("body", ["token=%00", "token=%ff", "token=a&token=b", "token=" + "x" * 9000])
def test_a_request_that_cannot_be_read_is_a_400(approval: Approval, body: str) -> None:
    proof = urlencode({"client_id": "rs-a", "client_secret": RESOURCE_SERVER_SECRET})
    answer = Http().post("/oauth/introspect", f"{body}&{proof}", content_type=FORM)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    missing = Http().post("/oauth/introspect", proof, content_type=FORM)
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_request")


def test_no_web_page_may_read_it(approval: Approval) -> None:
    for answer in (ask("x", Origin="https://app.example"), ask("x", secret="wrong", Origin="https://app.example")):
        assert not [name for name in answer.headers if name.startswith("Access-Control-")]


def test_a_caller_has_an_allowance_that_nobody_else_can_use_up(approval: Approval, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "introspect": "2/minute", "client_authentication": ""}
    limits._limiter.cache_clear()
    assert [ask("x", secret="wrong").status_code for _ in range(3)] == [401] * 3
    assert [ask("x").status_code for _ in range(3)] == [200, 200, 429]
    limits._limiter.cache_clear()


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_it_takes_two_statements(kind: str, approval: Approval) -> None:
    token = approval.redeem()[kind]
    ask(token)
    with CaptureQueriesContext(connection) as captured:
        assert ask(token).json()["active"]
    assert len(captured) == 2


def test_discovery_says_where_both_are() -> None:
    for name in ("oauth-authorization-server", "openid-configuration"):
        document = Http().get(f"/.well-known/{name}").json()
        assert document["introspection_endpoint"] == "http://localhost:8000/oauth/introspect"
        assert document["revocation_endpoint"] == "http://localhost:8000/oauth/revoke"
        assert "none" in document["revocation_endpoint_auth_methods_supported"]
        assert "none" not in document["introspection_endpoint_auth_methods_supported"]


def test_a_refresh_token_whose_lineage_was_ended_is_inactive(approval: Approval) -> None:
    token = approval.redeem()["refresh_token"]
    RefreshToken.objects.update(revoked=timezone.now())
    assert ask(token).json() == INACTIVE
