"""`/oauth/token` under bad input: a clear 4xx in its own shape, nothing stored, never a 5xx."""

from __future__ import annotations

import pytest
from django.test import Client as Http

from accounts.models import TokenSession
from authserver.grant_types import TOKEN_EXCHANGE
from authserver.models import Grant, RefreshToken
from tests.harness.approval import approve, post

pytestmark = pytest.mark.django_db
NAMES = ["grant_type", "code", "redirect_uri", "client_id", "code_verifier", "scope", "resource", "refresh_token",
         "subject_token", "audience", "client_secret"]  # fmt: skip
NASTY = ["%00", "a%00b", "%ff%fe", "%c0%ae", "%zz", "%", "%ed%a0%80", "x" * 9000]


def refused(answer) -> dict[str, str]:  # type: ignore[no-untyped-def]
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.content)
    body = answer.json()
    assert body["error"]
    assert None not in body.values()
    assert answer["Cache-Control"] == "no-store"
    return body  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", NASTY)
def test_a_nasty_value_is_refused_and_the_code_survives(name: str, value: str) -> None:
    approval = approve()
    body = "&".join(f"{key}={value_}" for key, value_ in approval.form.items() if key != name) + f"&{name}={value}"
    assert refused(post(body))["error"] == "invalid_request"
    assert not RefreshToken.objects.exists()
    assert Grant.objects.get().claimed_at is None
    assert post(approval.form).status_code == 200


@pytest.mark.parametrize("name", NAMES)
def test_a_repeated_parameter_is_refused(name: str) -> None:
    approval = approve()
    body = "&".join(f"{key}={value}" for key, value in approval.form.items()) + f"&{name}=a&{name}=b"
    assert refused(post(body))["error"] in {"invalid_request", "invalid_target"}
    assert not RefreshToken.objects.exists()


@pytest.mark.parametrize(
    ("grant_type", "error"),
    [("", "invalid_request"), ("password", "unsupported_grant_type"), ("implicit", "unsupported_grant_type"),
     ("client_credentials", "unsupported_grant_type"), ("urn:x", "unsupported_grant_type"),
     ("urn:ietf:params:oauth:grant-type:device_code", "unsupported_grant_type"),
     ("urn:ietf:params:oauth:grant-type:jwt-bearer", "unsupported_grant_type")],
)  # fmt: skip
def test_grants_we_do_not_serve_are_named_as_such(grant_type: str, error: str) -> None:
    assert refused(post({"grant_type": grant_type, "client_id": "x"}))["error"] == error


@pytest.mark.parametrize("grant_type", ["authorization_code", "refresh_token", TOKEN_EXCHANGE])
def test_an_empty_request_of_each_grant_is_a_4xx(grant_type: str) -> None:
    approval = approve()
    refused(post({"grant_type": grant_type}))
    refused(post({"grant_type": grant_type, "client_id": approval.client.client_id}))
    refused(post({"grant_type": grant_type, "client_id": "unknown"}))


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "multipart/form-data; boundary=x", "", "application/xml", "a/b; charset=utf-16"],
)
def test_only_forms_are_read(content_type: str) -> None:
    approval = approve()
    answer = Http().post("/oauth/token", data=b'{"grant_type": "authorization_code"}', content_type=content_type)
    assert refused(answer)["error"] == "invalid_request"
    assert Grant.objects.get(tsid=approval.tsid).claimed_at is None


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "TRACE"])
def test_other_methods_are_405_with_allow(method: str) -> None:
    answer = Http().generic(method, "/oauth/token", HTTP_X_HTTP_METHOD_OVERRIDE="POST")
    assert answer.status_code == 405
    assert "POST" in answer["Allow"]


def test_a_body_over_64_kib_is_413() -> None:
    answer = post("grant_type=authorization_code&padding=" + "x" * 70_000)
    assert answer.status_code == 413
    assert answer.json()["error"] == "invalid_request"


def test_too_many_parameters_are_refused() -> None:
    refused(post("&".join(f"a{number}=1" for number in range(500))))


def test_unknown_parameters_are_ignored() -> None:
    approval = approve()
    assert post({**approval.form, "extra": "foobar"}).status_code == 200


def test_a_slash_at_the_end_is_not_found_and_not_redirected() -> None:
    assert Http().post("/oauth/token/").status_code == 404


def test_another_host_header_is_refused() -> None:
    answer = Http().post("/oauth/token", headers={"host": "evil.example"})
    assert answer.status_code == 400


def test_cors_is_open_without_credentials() -> None:
    answer = Http().options("/oauth/token", headers={"origin": "https://app.example"})
    assert answer.status_code in {200, 204}
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer
    failed = post({"grant_type": "x"}, Origin="https://app.example")
    assert failed["Access-Control-Allow-Origin"] == "*"


def test_a_refused_request_leaves_no_session_behind() -> None:
    post({"grant_type": "authorization_code", "code": "x", "client_id": "x"})
    assert not TokenSession.objects.exists()
