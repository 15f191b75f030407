"""Whatever is sent, the answer is a 4xx of the endpoint's own shape, and nothing is kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.demo.conftest import IdP
from upstream.demo.models import Grant

pytestmark = pytest.mark.postgres  # what one database takes, another refuses

FORM = "application/x-www-form-urlencoded"
GOOD = b"grant_type=refresh_token&refresh_token=x"
BODIES = {
    "nothing": b"",
    "NUL": b"grant_type=refresh_token&refresh_token=%00",
    "raw NUL": b"grant_type=refresh_token&refresh_token=\x00",
    "bytes that are no UTF-8": b"grant_type=refresh_token&refresh_token=%ff",
    "raw bytes that are no UTF-8": b"grant_type=refresh_token&refresh_token=\xff",
    "half a percent-encoding": b"grant_type=refresh_token&refresh_token=%zz",
    "a repeated parameter": GOOD + b"&refresh_token=y",
    "a repeated parameter in another spelling": GOOD + b"&refresh%5Ftoken=y",
    "a repeated parameter that nobody knows": GOOD + b"&a=1&a=2",
    "a long value": b"grant_type=refresh_token&refresh_token=" + b"x" * 30000,
    "many parameters": GOOD + b"".join(b"&p%d=1" % number for number in range(200)),
}


def post(idp: IdP, path: str, body: bytes, content_type: str = FORM) -> Any:
    return idp.http.post(idp.path + path, body, content_type=content_type, headers={"Authorization": idp.credentials})


@pytest.mark.parametrize("path", ["/token", "/revoke"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_malformed_form_is_invalid_request(idp: IdP, path: str, body: bytes) -> None:
    response = post(idp, path, body)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("path", ["/token", "/revoke"])
@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
def test_another_content_type_is_invalid_request(idp: IdP, path: str, content_type: str) -> None:
    response = post(idp, path, GOOD, content_type)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("path", ["/token", "/revoke", "/knobs", "/authorize"])
def test_a_body_over_64_kib_is_too_large(idp: IdP, path: str) -> None:
    assert post(idp, path, b"a=" + b"x" * 70_000).status_code == 413


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/token"),
        ("put", "/token"),
        ("get", "/revoke"),
        ("post", "/jwks"),
        ("post", "/.well-known/openid-configuration"),
        ("delete", "/authorize"),
        ("post", "/api/me"),
        ("patch", "/knobs"),
    ],
)
def test_another_method_is_405(idp: IdP, method: str, path: str) -> None:
    assert getattr(idp.http, method)(idp.path + path).status_code == 405


@pytest.mark.parametrize(
    "query",
    ["client_id=%00", "client_id=%ff", "client_id=%zz", "client_id=a&client_id=b", "state=" + "x" * 30000],
)
def test_a_malformed_authorization_request_is_a_page_for_the_person(idp: IdP, query: str) -> None:
    response = idp.http.get(f"{idp.path}/authorize?{query}")
    assert response.status_code == 400
    assert "text/html" in response.headers["Content-Type"]
    assert not Grant.objects.exists()


def test_raw_bytes_in_the_query_are_refused_too(idp: IdP) -> None:
    response = idp.http.get(f"{idp.path}/authorize", QUERY_STRING="client_id=\xff")
    assert response.status_code == 400


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer \x00", "Bearer é", "Bearer a b", "bearer ey.a.b", "Basic x"]
)
@pytest.mark.parametrize("path", ["/userinfo", "/api/me"])
def test_a_strange_authorization_header_opens_nothing(idp: IdP, path: str, header: str) -> None:
    response = idp.http.get(idp.path + path, headers={"Authorization": header})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")
