"""What the knobs make go wrong, and that it goes wrong only there."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.unit.demo.conftest import IdP

ENDPOINTS = {
    "discovery": "/.well-known/openid-configuration",
    "jwks": "/jwks",
    "userinfo": "/userinfo",
    "api": "/api/me",
}


def call(idp: IdP, endpoint: str) -> Any:
    """One right request to the endpoint."""
    if endpoint in ENDPOINTS:
        return idp.get(ENDPOINTS[endpoint], idp.sign_in()["access_token"])
    if endpoint == "authorize":
        return idp.http.get(idp.authorization())
    if endpoint == "token":
        return idp.redeem(idp.code())
    refresh_token = idp.sign_in()["refresh_token"]
    return idp.refresh(refresh_token) if endpoint == "refresh" else idp.revoke(refresh_token)


@pytest.fixture(params=["discovery", "jwks", "authorize", "token", "refresh", "userinfo", "api", "revoke"])
def endpoint(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_status_fails_it_as_often_as_told(idp: IdP, endpoint: str) -> None:
    idp.turn(**{endpoint: {"status": 503, "times": 2}})
    assert [call(idp, endpoint).status_code for _ in range(3)] == [503, 503, 200]


def test_a_redirect_leads_elsewhere(idp: IdP, endpoint: str) -> None:
    idp.turn(**{endpoint: {"redirect": "https://evil.example/here"}})
    response = call(idp, endpoint)
    assert (response.status_code, response.headers["Location"]) == (302, "https://evil.example/here")


@pytest.mark.parametrize("kind", ["html", "truncated", "empty", "binary"])
def test_garbage_is_no_json(idp: IdP, endpoint: str, kind: str) -> None:
    idp.turn(**{endpoint: {"garbage": kind}})
    response = call(idp, endpoint)
    assert response.status_code == 200
    with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
        json.loads(response.content)


def test_hanging_up_early_breaks_the_body(idp: IdP, endpoint: str) -> None:
    idp.turn(**{endpoint: {"close_early": True}})
    response = call(idp, endpoint)
    assert int(response.headers["Content-Length"]) == 1000
    with pytest.raises(ConnectionResetError):
        b"".join(response.streaming_content)


def test_it_is_slow_and_then_right(idp: IdP, endpoint: str) -> None:
    idp.turn(**{endpoint: {"slow_seconds": 0.2}})
    started = time.monotonic()
    assert call(idp, endpoint).status_code == 200
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize("kind", ["refresh", "token"])
def test_an_error_is_answered_word_for_word(idp: IdP, kind: str) -> None:
    said = {"error": "unauthorized_client", "error_description": "<b>no</b>", "extra": [1]}
    idp.turn(**{kind: {"error": said}})
    response = call(idp, kind)
    assert (response.status_code, response.json()) == (400, said)
    idp.turn(**{kind: {"error": said, "status": 403}})
    assert call(idp, kind).status_code == 403
    idp.turn(**{kind: {"error": said}}, errors_with_200=True)
    assert call(idp, kind).status_code == 200


def test_spoiled_at_the_start_a_refresh_token_is_not_spent(idp: IdP) -> None:
    first = idp.sign_in()
    idp.turn(refresh={"status": 500, "times": 1})
    assert idp.refresh(first["refresh_token"]).status_code == 500
    assert idp.refresh(first["refresh_token"]).status_code == 200


def test_spoiled_at_the_end_the_refresh_token_is_spent_and_its_successor_lost(idp: IdP) -> None:
    first = idp.sign_in()
    idp.turn(refresh={"garbage": "truncated", "at": "end", "times": 1})
    lost = idp.refresh(first["refresh_token"])
    assert lost.content.startswith(b'{"access_token": "at_')
    assert idp.counters["refresh_successes"] == 1
    assert idp.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert idp.counters["reuse_detected"] == 1


def test_an_answer_is_changed_member_by_member(idp: IdP) -> None:
    idp.turn(
        token={"answer": {"expires_in": None, "token_type": "mac"}},
        refresh={"answer": {"expires_in": "60"}},
        userinfo={"answer": {"sub": "somebody-else", "address": {"country": "x"}}},
        discovery={"answer": {"issuer": "https://evil.example"}},
        jwks={"answer": {"keys": []}},
        api={"answer": {"login": None}},
    )
    first = idp.sign_in()
    assert "expires_in" not in first
    assert first["token_type"] == "mac"
    assert idp.refresh(first["refresh_token"]).json()["expires_in"] == "60"
    userinfo = idp.get("/userinfo", first["access_token"]).json()
    assert (userinfo["sub"], userinfo["address"], userinfo["name"]) == (
        "somebody-else",
        {"country": "x"},
        "Ada Lovelace",
    )
    assert idp.get("/.well-known/openid-configuration").json()["issuer"] == "https://evil.example"
    assert idp.get("/jwks").json() == {"keys": []}
    assert "login" not in idp.get("/api/me", first["access_token"]).json()


def test_a_huge_answer_is_far_above_what_anybody_should_read(idp: IdP) -> None:
    idp.turn(jwks={"garbage": "huge"})
    assert len(idp.get("/jwks").content) > 16 * 1024 * 1024
