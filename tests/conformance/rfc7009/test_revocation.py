"""Token revocation (RFC 7009, and behaviour.md): what a client ends, what that ends with it, and what it cannot end."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEvent, Credential, TokenSession
from accounts.vault.base import TokenSet
from authserver.grant_types import TOKEN_EXCHANGE
from authserver.hashers import hash_secret
from authserver.models import AccessToken, RefreshToken
from tests.harness.approval import (
    RESOURCE_SERVER_SECRET,
    Approval,
    approve,
    make_client,
    make_provider,
    make_resource_server,
    post,
)
from tests.harness.policies import in_force

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
SECRET = "a-secret-of-enough-length-and-chance"


@pytest.fixture
def approval() -> Approval:
    made = approve(provider=make_provider(), tokens=TokenSet(access_token="upstream", scopes=("repo",)))
    make_resource_server(made.resource)
    return made


def revoke(body: dict[str, str] | str, **headers: str) -> Any:
    text = body if isinstance(body, str) else urlencode(body)
    return Http(raise_request_exception=False).post(
        "/oauth/revoke", data=text, content_type="application/x-www-form-urlencoded", headers=headers
    )


def end(approval: Approval, token: str, **more: str) -> Any:
    return revoke({"token": token, "client_id": approval.client.client_id, **more})


def introspect(token: str) -> dict[str, Any]:
    form = {"token": token, "client_id": "rs-a", "client_secret": RESOURCE_SERVER_SECRET}
    answer = Http().post("/oauth/introspect", urlencode(form), content_type="application/x-www-form-urlencoded")
    body: dict[str, Any] = answer.json()
    return body


def exchange(subject_token: str) -> Any:
    return post({"grant_type": TOKEN_EXCHANGE, "subject_token": subject_token, "client_id": "rs-a",
                 "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
                 "client_secret": RESOURCE_SERVER_SECRET})  # fmt: skip


def by_tsid(tsid: str) -> Any:
    form = {"client_id": "rs-a", "client_secret": RESOURCE_SERVER_SECRET}
    return Http().post(
        f"/api/v1/sessions/{tsid}/upstream-tokens", urlencode(form), content_type="application/x-www-form-urlencoded"
    )


def works_nowhere(approval: Approval, *issued: dict[str, Any]) -> None:
    for tokens in issued:
        assert introspect(tokens["access_token"]) == {"active": False}
        assert introspect(tokens["refresh_token"]) == {"active": False}
        assert exchange(tokens["access_token"]).status_code == 400
        assert post(approval.refresh_form(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert by_tsid(approval.tsid).status_code == 404


@pytest.mark.parametrize("hint", ["", "refresh_token", "access_token", "something_else"])
def test_a_refresh_token_ends_its_session_and_everything_of_it(approval: Approval, hint: str) -> None:
    first = approval.redeem()
    second = post(approval.refresh_form(first["refresh_token"])).json()
    answer = end(approval, second["refresh_token"], **({"token_type_hint": hint} if hint else {}))
    assert (answer.status_code, answer.content, answer["Cache-Control"]) == (200, b"", "no-store")
    works_nowhere(approval, first, second)
    assert not Credential.objects.exists()
    assert RefreshToken.objects.get().revoked is not None
    event = AuditEvent.objects.get(event="session.revoked")
    assert (event.reason, event.actor) == ("client", f"client:{approval.client.client_id}")


def test_any_generation_of_it_will_do(approval: Approval) -> None:
    first = approval.redeem()
    second = post(approval.refresh_form(first["refresh_token"])).json()
    third = post(approval.refresh_form(second["refresh_token"])).json()
    assert end(approval, first["refresh_token"]).status_code == 200
    works_nowhere(approval, first, second, third)


def test_an_access_token_ends_itself_and_nothing_else(approval: Approval) -> None:
    first = approval.redeem()
    second = post(approval.refresh_form(first["refresh_token"])).json()
    for _ in range(2):
        assert end(approval, first["access_token"]).status_code == 200
    assert introspect(first["access_token"]) == {"active": False}
    assert exchange(first["access_token"]).status_code == 400
    assert introspect(second["access_token"])["active"]
    assert exchange(second["access_token"]).status_code == 200
    assert post(approval.refresh_form(second["refresh_token"])).status_code == 200
    assert AccessToken.objects.count() == 1
    assert set(AuditEvent.objects.filter(event="access_token.revoked").values_list("tsid", flat=True)) == {
        approval.tsid
    }


def test_an_operator_may_want_it_to_end_the_session(approval: Approval) -> None:
    tokens = approval.redeem()
    with in_force(revocation={"access_token_ends_session": True}):
        assert end(approval, tokens["access_token"]).status_code == 200
    works_nowhere(approval, tokens)


def test_nobody_ends_another_clients_tokens(approval: Approval) -> None:
    tokens = approval.redeem()
    make_client("other")
    make_client("confidential", token_endpoint_auth_method="client_secret_post", client_secret=hash_secret(SECRET))
    for token in (tokens["refresh_token"], tokens["access_token"]):
        assert revoke({"token": token, "client_id": "other"}).status_code == 200
        assert revoke({"token": token, "client_id": "confidential", "client_secret": SECRET}).status_code == 200
    assert introspect(tokens["access_token"])["active"]
    assert introspect(tokens["refresh_token"])["active"]
    assert TokenSession.objects.get().closed_at is None


@pytest.mark.parametrize(
    "token", ["garbage", "asr_" + "A" * 112, "a.b.c", "rat_" + "A" * 43, "ünïcode", "x" * 8000, "e30.e30.e30"]
)
def test_what_is_unknown_is_answered_like_what_was_ended(approval: Approval, token: str) -> None:
    answer = end(approval, token)
    assert (answer.status_code, answer.content) == (200, b"")
    assert TokenSession.objects.get().closed_at is None


def test_ending_it_twice_is_no_error(approval: Approval) -> None:
    tokens = approval.redeem()
    assert [end(approval, tokens["refresh_token"]).status_code for _ in range(2)] == [200, 200]
    assert AuditEvent.objects.filter(event="session.revoked").count() == 1


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"client_id": "app"}, 400, "invalid_request"),
        ({"client_id": "app", "token": ""}, 400, "invalid_request"),
        ({"token": "x"}, 401, "invalid_client"),
        ({"token": "x", "client_id": "nobody"}, 401, "invalid_client"),
        ({"token": "x", "client_id": "confidential"}, 401, "invalid_client"),
        ({"token": "x", "client_id": "confidential", "client_secret": "wrong"}, 401, "invalid_client"),
        ({"token": "x", "client_id": "disabled"}, 401, "invalid_client"),
        ("token=x&token=y&client_id=app", 400, "invalid_request"),
        ("token=%00&client_id=app", 400, "invalid_request"),
        ("token=%ff&client_id=app", 400, "invalid_request"),
        ("token=" + "x" * 9000 + "&client_id=app", 400, "invalid_request"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_request_is_said(body: Any, status: int, error: str) -> None:
    make_client("app")
    make_client("disabled", disabled_at=timezone.now())
    make_client("confidential", token_endpoint_auth_method="client_secret_post", client_secret=hash_secret(SECRET))
    answer = revoke(body)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_it_is_posted_and_a_query_is_never_read(approval: Approval, method: str) -> None:
    token = approval.redeem()["refresh_token"]
    query = urlencode({"token": token, "client_id": approval.client.client_id})
    answer = getattr(Http(), method)(f"/oauth/revoke?{query}")
    assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")
    assert Http().post(f"/oauth/revoke?{query}").status_code in {400, 401}
    assert TokenSession.objects.get().closed_at is None


def test_a_web_page_may_call_it_without_credentials(approval: Approval) -> None:
    asks = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    preflight = Http().options("/oauth/revoke", headers=asks)
    assert (preflight.status_code, preflight["Access-Control-Allow-Origin"]) == (204, "*")
    answer = revoke({"token": "x", "client_id": approval.client.client_id}, Origin="https://app.example")
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer


def statements(call: Any) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert call().status_code == 200
    sent = [query["sql"].upper() for query in captured]
    return len([sql for sql in sent if not sql.startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))])


def test_ending_a_session_with_one_upstream_is_six_statements(approval: Approval) -> None:
    warm = approve(client=make_client("warm"), resource=approval.resource)
    end(warm, warm.redeem()["refresh_token"])
    token = approval.redeem()["refresh_token"]
    assert statements(lambda: end(approval, token)) == 6


def test_somebody_elses_token_costs_what_an_unknown_one_does(approval: Approval) -> None:
    theirs = approval.redeem()
    other = make_client("other")
    for token in (theirs["refresh_token"], theirs["access_token"], "asr_" + "A" * 112, "garbage"):
        assert statements(lambda token=token: revoke({"token": token, "client_id": other.client_id})) == 2
