"""Turning the knobs over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.demo.conftest import IdP, basic

pytestmark = pytest.mark.postgres  # knobs are kept as JSON


def send(idp: IdP, body: str | bytes, **extra: Any) -> Any:
    headers = {"Authorization": idp.credentials} | extra.pop("headers", {})
    return idp.http.post(f"{idp.path}/knobs", body, content_type="application/json", headers=headers, **extra)


def test_untouched_they_show_every_habit_at_its_default_and_every_counter_at_nothing(idp: IdP) -> None:
    knobs = idp.turn()
    assert knobs["access_token_seconds"] == 60
    assert knobs["rotate"] is True
    assert knobs["no_refresh_token"] == []
    assert "refresh" not in knobs
    assert set(idp.counters.values()) == {0}


def test_turning_one_leaves_the_others(idp: IdP) -> None:
    idp.turn(rotate=False, refresh={"status": 500})
    knobs = idp.turn(alg="ES256")
    assert (knobs["rotate"], knobs["alg"], knobs["refresh"]["status"]) == (False, "ES256", 500)


def test_null_puts_one_back(idp: IdP) -> None:
    idp.turn(rotate=False, refresh={"status": 500})
    knobs = idp.turn(rotate=None, refresh=None)
    assert knobs["rotate"] is True
    assert "refresh" not in knobs


def test_a_fault_shows_how_often_it_will_still_happen(idp: IdP) -> None:
    assert idp.turn(api={"status": 500, "times": 2})["api"]["remaining"] == 2
    idp.get("/api/me")
    assert idp.turn()["api"]["remaining"] == 1


def test_delete_puts_all_back_and_the_counters_to_nothing(idp: IdP) -> None:
    idp.turn(rotate=False, api={"status": 500})
    idp.get("/api/me")
    assert idp.counters["api_calls"] == 1
    response = idp.http.delete(f"{idp.path}/knobs", headers={"Authorization": idp.credentials})
    assert response.json()["knobs"]["rotate"] is True
    assert "api" not in response.json()["knobs"]
    assert set(response.json()["counters"].values()) == {0}


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"rotat": False}, "rotat"),
        ({"rotate": "no"}, "rotate"),
        ({"rotate": 0}, "rotate"),
        ({"access_token_seconds": True}, "access_token_seconds"),
        ({"access_token_seconds": -1}, "access_token_seconds"),
        ({"alg": "none"}, "alg"),
        ({"alg": ["RS256"]}, "alg"),
        ({"no_refresh_token": "refresh"}, "no_refresh_token"),
        ({"no_refresh_token": ["never"]}, "no_refresh_token"),
        ({"canary": "a b"}, "canary"),
        ({"refresh": "500"}, "refresh"),
        ({"refresh": {"stat": 500}}, "stat"),
        ({"refresh": {"status": 99}}, "status"),
        ({"refresh": {"times": 0}}, "times"),
        ({"refresh": {"garbage": "some"}}, "garbage"),
        ({"refresh": {"redirect": "javascript:alert(1)"}}, "redirect"),
        ({"refresh": {"redirect": "http://[bad"}}, "redirect"),
        ({"jwks": {"id_token": {}}}, "id_token"),
        ({"callback": {"status": 500}}, "status"),
        ({"rotate_keys": True}, "rotate_keys"),
        ({"clients": [{"client_id": "x"}]}, "client_secret"),
        ({"clients": "x"}, "client"),
        ({"clients": [{"client_id": "", "client_secret": "s", "redirect_uris": []}]}, "client_id"),
    ],
)
def test_a_wrong_knob_is_refused_by_name_and_nothing_is_turned(idp: IdP, wrong: dict[str, Any], names: str) -> None:
    response = send(idp, json.dumps({"alg": "ES256"} | wrong))
    assert response.status_code == 400
    assert names in response.json()["error"]
    assert idp.turn()["alg"] == "RS256"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'{"canary": NaN}',
        b'{"refresh": {"answer": {"a": 1e999}}}',
        b'{"refresh": {"answer": {"a": "\\u0000"}}}',
        b'{"refresh": {"answer": {"a": "\\ud800"}}}',
        b'{"refresh": {"answer": ' + b'{"a":' * 10000 + b"1" + b"}" * 10000 + b"}}",
    ],
)
def test_a_body_that_no_database_could_keep_is_refused(idp: IdP, body: bytes) -> None:
    assert send(idp, body).status_code == 400


@pytest.mark.parametrize(
    "credentials", ["", "Basic", "Bearer x", basic("authserver-demo", ""), basic("authserver-demo", "wrong")]
)
def test_they_need_the_demo_clients_secret(idp: IdP, credentials: str) -> None:
    response = send(idp, "{}", headers={"Authorization": credentials})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("address", ["192.0.2.7", "10.0.0.1", "2001:db8::1", "", "unix"])
def test_they_are_turned_from_this_machine_only(idp: IdP, address: str) -> None:
    assert send(idp, "{}", REMOTE_ADDR=address).status_code == 403


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_every_loopback_address_is_this_machine(idp: IdP, address: str) -> None:
    assert send(idp, "{}", REMOTE_ADDR=address).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_a_proxy_on_this_machine_is_not_this_machine(idp: IdP, header: str) -> None:
    assert send(idp, "{}", headers={header: "192.0.2.7"}).status_code == 403


def test_outside_demo_mode_they_do_not_turn(idp: IdP, settings: Any) -> None:
    settings.DEMO = False
    assert send(idp, "{}").status_code == 403
