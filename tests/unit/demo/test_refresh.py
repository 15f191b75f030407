"""Refreshing: RFC 6749 s6, and the habits of providers."""

from __future__ import annotations

import pytest

from tests.unit.demo.conftest import IdP

pytestmark = pytest.mark.postgres  # rotation is a conditional statement


def test_a_refresh_rotates_both_tokens(idp: IdP) -> None:
    first = idp.sign_in()
    second = idp.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert idp.get("/api/me", second["access_token"]).json()["login"] == "ada"
    assert idp.refresh(second["refresh_token"]).status_code == 200
    assert idp.counters["refresh_successes"] == 2


def test_a_reused_refresh_token_kills_the_family(idp: IdP) -> None:
    first = idp.sign_in()
    second = idp.refresh(first["refresh_token"]).json()
    assert idp.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert idp.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
    assert idp.get("/api/me", second["access_token"]).status_code == 401
    assert idp.counters["reuse_detected"] == 1


def test_without_reuse_detection_only_the_reuse_fails(idp: IdP) -> None:
    idp.turn(reuse_detection=False)
    first = idp.sign_in()
    second = idp.refresh(first["refresh_token"]).json()
    assert idp.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert idp.refresh(second["refresh_token"]).status_code == 200


def test_without_rotation_the_same_refresh_token_comes_back(idp: IdP) -> None:
    idp.turn(rotate=False)
    first = idp.sign_in()
    for _ in range(3):
        assert idp.refresh(first["refresh_token"]).json()["refresh_token"] == first["refresh_token"]


def test_a_provider_that_omits_the_refresh_token_lets_the_old_one_live(idp: IdP) -> None:
    idp.turn(no_refresh_token=["refresh"])
    first = idp.sign_in()
    for _ in range(3):
        answer = idp.refresh(first["refresh_token"])
        assert answer.status_code == 200
        assert "refresh_token" not in answer.json()


def test_a_second_sign_in_gives_none_unless_consent_is_asked_or_the_first_was_revoked(idp: IdP) -> None:
    idp.turn(no_refresh_token=["second_sign_in"])
    first = idp.sign_in()
    assert "refresh_token" not in idp.sign_in()
    assert "refresh_token" in idp.sign_in("grace")
    consented = idp.sign_in(prompt="consent")
    for answer in (first, consented):
        idp.revoke(answer["refresh_token"])
    assert "refresh_token" in idp.sign_in()


def test_a_provider_may_want_offline_access_or_give_none_at_all(idp: IdP) -> None:
    idp.turn(no_refresh_token=["without_offline_access"])
    assert "refresh_token" not in idp.sign_in(scope="openid")
    assert "refresh_token" in idp.sign_in(scope="openid offline_access")
    idp.turn(no_refresh_token=["sign_in"])
    assert "refresh_token" not in idp.sign_in()


def test_a_refresh_may_narrow_its_scope_and_never_widen_it(idp: IdP) -> None:
    first = idp.sign_in(scope="openid demo:read")
    narrow = idp.refresh(first["refresh_token"], scope="demo:read").json()
    assert narrow["scope"] == "demo:read"
    assert "id_token" not in narrow
    wider = idp.refresh(narrow["refresh_token"], scope="demo:read demo:write")
    assert (wider.status_code, wider.json()["error"]) == (400, "invalid_scope")
    assert idp.refresh(narrow["refresh_token"]).json()["scope"] == "openid demo:read"


def test_refreshes_are_counted_apart_from_codes(idp: IdP) -> None:
    idp.refresh(idp.sign_in()["refresh_token"])
    idp.refresh("rt_unknown")
    counters = idp.counters
    assert (counters["token_requests"], counters["code_requests"], counters["refresh_requests"]) == (3, 1, 2)
    assert (counters["code_successes"], counters["refresh_successes"]) == (1, 1)
