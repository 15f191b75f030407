"""Signing out everywhere: what clients are told (OpenID Connect Back-Channel Logout 1.0 s2.4, s2.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from django.test import Client

from tests.fakes.server import FakeServer, Reply, Seen
from tests.unit.demo.conftest import IdP, challenge, page_of
from tests.unit.demo.test_id_tokens import verified

EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Listening(FakeServer):
    """A client's `backchannel_logout_uri`."""

    status = 200

    def answer(self, seen: Seen) -> Reply:
        return Reply(self.status, body=b"")


@pytest.fixture
def listening(idp: IdP) -> Iterator[Listening]:
    with Listening() as server:
        idp.turn(
            clients={
                "client_id": "listener",
                "client_secret": "a secret",
                "redirect_uris": ["https://listener.example/callback"],
                "backchannel_logout_uri": f"{server.url}/logout",
            }
        )
        yield server


def signed_in(idp: IdP, login: str = "ada") -> None:
    idp.code(
        login,
        client_id="listener",
        redirect_uri="https://listener.example/callback",
        code_challenge=challenge("v" * 43),
    )


def press(idp: IdP, login: str) -> Any:
    return idp.http.post(f"{idp.path}/sign-out", {"choice": login})


def told(idp: IdP, listening: Listening) -> dict[str, Any]:
    [seen] = listening.seen
    assert (seen.method, seen.path, set(seen.form)) == ("POST", "/logout", {"logout_token"})
    token = seen.form["logout_token"]
    assert jwt.get_unverified_header(token)["typ"] == "logout+jwt"
    keys = jwt.PyJWKSet.from_dict(idp.get("/jwks").json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, algorithms=["RS256"], audience="listener", issuer=idp.issuer)


def test_a_client_that_wants_to_know_hears_who_has_gone(idp: IdP, listening: Listening) -> None:
    signed_in(idp)
    page = press(idp, "ada")
    assert page.status_code == 200
    claims = told(idp, listening)
    assert set(claims) == {"iss", "aud", "iat", "exp", "jti", "sub", "events"}
    assert claims["events"] == {EVENT: {}}
    assert claims["exp"] - claims["iat"] <= 120
    assert "listener 200" in page_of(page).text
    assert (idp.counters["sign_out_requests"], idp.counters["logout_tokens"]) == (1, 1)


def test_clients_that_the_person_never_used_hear_nothing(idp: IdP, listening: Listening) -> None:
    signed_in(idp, "grace")
    press(idp, "ada")
    assert listening.seen == []


def test_what_a_client_answers_is_shown(idp: IdP, listening: Listening) -> None:
    signed_in(idp)
    listening.status = 400
    assert "listener 400" in page_of(press(idp, "ada")).text


def test_a_knob_makes_the_token_wrong(idp: IdP, listening: Listening) -> None:
    signed_in(idp)
    idp.turn(backchannel_logout={"logout_token": {"sid": "a session", "sub": None}})
    press(idp, "ada")
    claims = told(idp, listening)
    assert claims["sid"] == "a session"
    assert "sub" not in claims


def test_every_sign_in_is_a_session_of_its_own(idp: IdP) -> None:
    first, second = idp.sign_in(), idp.sign_in()
    sids = [verified(idp, answer["id_token"])["sid"] for answer in (first, second)]
    assert len(set(sids)) == 2
    assert verified(idp, idp.refresh(first["refresh_token"]).json()["id_token"])["sid"] == sids[0]


@pytest.mark.parametrize("choice", ["", "nobody", "cancel"])
def test_nobody_in_particular_is_signed_out_of_nothing(idp: IdP, listening: Listening, choice: str) -> None:
    signed_in(idp)
    assert press(idp, choice).status_code == 400
    assert idp.http.get(f"{idp.path}/sign-out").status_code == 200
    assert listening.seen == []


def test_another_sites_form_signs_nobody_out(idp: IdP, listening: Listening) -> None:
    signed_in(idp)
    careful = Client(enforce_csrf_checks=True)
    assert careful.post(f"{idp.path}/sign-out", {"choice": "ada"}).status_code == 403
    assert listening.seen == []
