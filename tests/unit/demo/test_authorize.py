"""The authorization endpoint: RFC 6749 s4.1, RFC 7636, RFC 9207, OpenID Connect Core s3.1.2."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.unit.demo.conftest import REDIRECT_URI, IdP, page_of


def test_the_page_offers_two_people_and_a_way_out(idp: IdP) -> None:
    response = idp.http.get(idp.authorization())
    page = page_of(response)
    assert response.status_code == 200
    assert [button.value for button in page.forms[0].buttons] == ["ada", "grace", "cancel"]
    assert "Ada Lovelace" in page.text
    assert "Grace Hopper" in page.text
    assert "demo provider" in page.text


def test_the_page_is_never_cached_and_changes_nothing(idp: IdP) -> None:
    first = idp.http.get(idp.authorization())
    assert first.headers["Cache-Control"] == "no-store"
    assert idp.http.get(idp.authorization()).status_code == 200
    assert idp.counters["sign_ins"] == 0


def test_a_choice_sends_a_code_with_state_and_issuer_to_the_redirect_uri(idp: IdP) -> None:
    response = idp.choose("grace", state="ä state & more = x")
    answer = idp.answer_of(response)
    assert (page_of(response).refresh_url or "").startswith(f"{REDIRECT_URI}?")
    assert answer.keys() == {"code", "state", "iss"}
    assert answer["state"] == "ä state & more = x"
    assert answer["iss"] == idp.issuer


def test_the_answer_to_a_form_is_a_page_because_form_action_would_stop_a_redirect_further_on(
    idp: IdP,
) -> None:
    response = idp.choose()
    assert response.status_code == 200
    assert page_of(response).refresh_url in page_of(response).links


def test_no_state_asked_no_state_answered(idp: IdP) -> None:
    assert idp.answer_of(idp.choose(state=None)).keys() == {"code", "iss"}


def test_cancel_is_access_denied(idp: IdP) -> None:
    answer = idp.answer_of(idp.choose("cancel"))
    assert answer["error"] == "access_denied"
    assert answer["state"] == "a state"
    assert answer["iss"] == idp.issuer
    assert idp.counters["denials"] == 1


def test_a_choice_of_nobody_shows_the_page_again(idp: IdP) -> None:
    response = idp.choose("mallory")
    assert response.status_code == 400
    assert len(page_of(response).forms) == 1


def test_a_form_from_elsewhere_is_refused(idp: IdP) -> None:
    strict = Client(enforce_csrf_checks=True, headers={"Host": "localhost:8000"})
    assert strict.post(idp.authorization(), {"choice": "ada"}).status_code == 403
    page = strict.get(idp.authorization())
    form = page_of(page).forms[0]
    assert strict.post(idp.authorization(), form.filled(form.button("Ada"))).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": None},
        {"client_id": "somebody-else"},
        {"client_id": "nul\x00"},
        {"client_id": "x" * 9000},
        {"redirect_uri": None},
        {"redirect_uri": REDIRECT_URI + "/"},
        {"redirect_uri": REDIRECT_URI + "?more=1"},
        {"redirect_uri": REDIRECT_URI.replace("localhost", "LOCALHOST")},
        {"redirect_uri": "http://localhost:8001/oauth/callback/demo"},
        {"redirect_uri": "https://evil.example/"},
    ],
)
def test_an_unknown_client_or_redirect_uri_is_told_to_the_person_and_never_redirected(
    idp: IdP, wrong: dict[str, str | None]
) -> None:
    for response in (idp.http.get(idp.authorization(**wrong)), idp.choose(**wrong)):
        assert response.status_code == 400
        assert "Location" not in response.headers
        assert page_of(response).refresh_url is None


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "too-short"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "openid admin"}, "invalid_scope"),
        ({"scope": "openid\tprofile"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"request": "ey.a.b"}, "request_not_supported"),
        ({"request_uri": "https://evil.example/r"}, "request_uri_not_supported"),
    ],
)
def test_everything_else_that_is_wrong_is_told_to_the_client(
    idp: IdP, wrong: dict[str, str | None], error: str
) -> None:
    response = idp.http.get(idp.authorization(**wrong))
    assert response.status_code == 302
    assert response.headers["Location"].startswith(f"{REDIRECT_URI}?")
    answer = idp.answer_of(response)
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "a state", idp.issuer)


def test_a_fault_denies_with_whatever_words_it_was_told(idp: IdP) -> None:
    said = {
        "error": "no such <b>error</b>",
        "error_description": "<script>alert(1)</script>\r\nSet-Cookie: a=b",
    }
    idp.turn(callback={"error": said, "times": 1})
    answer = idp.answer_of(idp.choose())
    assert {name: answer[name] for name in said} == said
    assert b"<script>" not in idp.choose().content
    assert "code" in idp.answer_of(idp.choose())


def test_a_fault_sends_another_issuer_or_none(idp: IdP) -> None:
    idp.turn(callback={"answer": {"iss": "https://evil.example"}})
    assert idp.answer_of(idp.choose())["iss"] == "https://evil.example"
    idp.turn(callback={"answer": {"iss": None, "state": None}})
    assert idp.answer_of(idp.choose()).keys() == {"code"}


def test_a_client_that_a_test_added_is_answered_at_its_own_address(idp: IdP) -> None:
    idp.turn(clients=[{"client_id": "other", "client_secret": "s", "redirect_uris": ["https://app.example/cb?x=1"]}])
    target = page_of(idp.choose(client_id="other", redirect_uri="https://app.example/cb?x=1")).refresh_url
    assert (target or "").startswith("https://app.example/cb?x=1&code=")
