"""Who may speak as a client: RFC 6749 section 2.3, exactly as registered."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest

from authserver.models import Client
from tests.harness.approval import approve, make_client, post

pytestmark = pytest.mark.django_db
SECRET = "s3cret:with/special+chars%and=more"


def basic(client_id: str, secret: str, scheme: str = "Basic") -> dict[str, str]:
    return {"Authorization": f"{scheme} " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def confidential(method: str) -> Any:
    client = make_client(
        "conf", client_type=Client.CLIENT_CONFIDENTIAL, token_endpoint_auth_method=method, client_secret=SECRET
    )
    return approve(client=client)


def without_client(form: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in form.items() if name != "client_id"}


@pytest.mark.parametrize(
    "headers",
    [
        basic("conf", quote(SECRET, safe="")),
        basic("conf", SECRET),
        basic("conf", quote(SECRET, safe=""), scheme="basic"),
        {"Authorization": basic("conf", quote(SECRET, safe=""))["Authorization"].replace(" ", "   ")},
    ],
)
def test_basic_is_taken_percent_encoded_or_not(headers: dict[str, str]) -> None:
    approval = confidential("client_secret_basic")
    assert post(without_client(approval.form), **headers).status_code == 200


def test_post_is_taken_where_it_is_registered() -> None:
    approval = confidential("client_secret_post")
    assert post({**approval.form, "client_secret": SECRET}).status_code == 200


def test_a_client_id_beside_basic_must_agree() -> None:
    approval = confidential("client_secret_basic")
    make_client("other")
    headers = basic("conf", quote(SECRET, safe=""))
    assert post(approval.form, **headers).status_code == 200
    answer = post({**approval.form, "client_id": "other"}, **headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_two_ways_at_once_are_refused() -> None:
    approval = confidential("client_secret_basic")
    answer = post({**approval.form, "client_secret": SECRET}, **basic("conf", quote(SECRET, safe="")))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("registered", "form", "headers"),
    [
        ("client_secret_basic", {"client_secret": SECRET}, {}),
        ("client_secret_basic", {}, {}),
        ("client_secret_post", {}, basic("conf", quote(SECRET, safe=""))),
        ("client_secret_post", {}, {}),
        ("client_secret_post", {"client_secret": "wrong"}, {}),
        ("client_secret_basic", {}, basic("conf", "wrong")),
        ("client_secret_basic", {}, basic("conf", "")),
        ("client_secret_basic", {}, basic("nobody", SECRET)),
    ],
)
def test_any_other_way_than_the_registered_one_is_refused(
    registered: str, form: dict[str, str], headers: dict[str, str]
) -> None:
    approval = confidential(registered)
    request = {**(without_client(approval.form) if headers else approval.form), **form}
    answer = post(request, **headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert ("WWW-Authenticate" in answer) is bool(headers)


def test_a_public_client_with_a_secret_is_not_the_client_we_know() -> None:
    approval = approve()
    answer = post({**approval.form, "client_secret": "anything"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert post({**approval.form, "client_secret": ""}).status_code == 200  # sent without a value: absent


@pytest.mark.parametrize(
    "header",
    ["Basic", "Basic ", "Basic !!!", "Basic " + base64.b64encode(b"nocolon").decode(), "Basic /w==",
     "Basic " + "A" * 100_000, "Basic " + base64.b64encode(b"a\x00b:c").decode(), "Bearer x.y.z", "\x7f"],
)  # fmt: skip
def test_a_malformed_header_is_401_with_a_challenge(header: str) -> None:
    approval = approve()
    answer = post(without_client(approval.form), Authorization=header)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer["WWW-Authenticate"].startswith("Basic")


def test_unknown_client_and_wrong_secret_read_the_same() -> None:
    confidential("client_secret_basic")
    unknown = post({"grant_type": "refresh_token", "refresh_token": "x"}, **basic("nobody", "x"))
    wrong = post({"grant_type": "refresh_token", "refresh_token": "x"}, **basic("conf", "x"))
    assert unknown.content == wrong.content
