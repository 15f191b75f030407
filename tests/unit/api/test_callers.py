"""Who may call, how they say who they are, and how often."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone
from pytest_django import Settings

from authserver import limits, mint
from authserver.models import Client, Resource, ResourceServer
from tests.harness.approval import RESOURCE_SERVER_SECRET, make_client, make_resource_server, post
from tests.harness.oauth import claims
from tests.unit.api.conftest import FORM, Held, basic, canary

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
SECRET = {"client_id": "rs-a", "client_secret": RESOURCE_SERVER_SECRET}


@pytest.fixture
def github(held: Held) -> Held:
    held.connect("github")
    return held


@pytest.fixture
def limited(settings: Settings) -> Settings:
    """Nothing is limited, but for what a test says."""
    settings.RATE_LIMITS = dict.fromkeys(settings.RATE_LIMITS, "")
    limits._limiter.cache_clear()
    return settings


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def short_token(held: Held) -> str:
    answer = held.access_token()
    assert answer.status_code == 200, answer.content
    token: str = answer.json()["access_token"]
    return token


def test_basic_form_and_token_are_three_ways_to_the_same_answer(github: Held) -> None:
    answers = [
        github.get("github"),
        github.post("github", **SECRET),
        github.get("github", headers=bearer(short_token(github))),
        github.http.post(github.path("github"), "", content_type=FORM, headers=basic()),
    ]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert {answer.json()["access_token"] for answer in answers} == {canary("github")}
    listed = [github.get(), github.post(**SECRET), github.get(headers=bearer(short_token(github)))]
    assert [len(answer.json()["upstream_tokens"]) for answer in listed] == [1, 1, 1]


def test_the_short_token_says_who_and_for_what_and_ends_soon(held: Held) -> None:
    answer = held.access_token()
    assert answer["Cache-Control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 300)
    said = claims(body["access_token"])
    assert (said["sub"], said["client_id"]) == ("rs-a", "rs-a")
    assert said["aud"] == f"{said['iss']}/api/v1"
    assert said["exp"] - said["iat"] == 300
    assert "tsid" not in said


def test_the_short_token_is_given_for_basic_too(held: Held) -> None:
    answer = held.http.post("/api/v1/token", "grant_type=client_credentials", content_type=FORM, headers=basic())
    assert answer.status_code == 200, answer.content


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"scope": "everything"}, 400, "invalid_scope"),
        ({"client_id": "n\x00l"}, 400, "invalid_request"),
    ],
)
def test_the_short_token_is_refused(held: Held, form: dict[str, str], status: int, error: str) -> None:
    answer = held.access_token(**form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_short_token_gives_no_other_short_token(held: Held) -> None:
    answer = held.http.post(
        "/api/v1/token", "grant_type=client_credentials", content_type=FORM, headers=bearer(short_token(held))
    )
    assert answer.status_code == 401


def test_the_token_endpoint_itself_goes_on_refusing_client_credentials(held: Held) -> None:
    answer = post({"grant_type": "client_credentials", **SECRET})
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_a_short_token_passes_nowhere_for_a_persons(github: Held) -> None:
    exchange = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": short_token(github),
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        **SECRET,
    }
    answer = post(exchange)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_persons_token_does_not_open_the_api(github: Held) -> None:
    token = github.approval.redeem()["access_token"]
    answer = github.get("github", headers=bearer(token))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


@pytest.mark.parametrize("what", ["id token", "another audience", "expired", "nobody's", "not ours", "none"])
def test_other_tokens_are_refused(github: Held, what: str) -> None:
    now = timezone.now()
    audience = claims(short_token(github))["aud"]
    token = {
        "id token": mint.id_token(
            subject=github.approval.user.pk, client_id="rs-a", access_token="x", nonce="", auth_time=None, now=now
        ),
        "another audience": mint.caller_token(client_id="rs-a", audience="https://mcp.example.com/mcp", now=now),
        "expired": mint.caller_token(client_id="rs-a", audience=audience, now=now - timedelta(seconds=301)),
        "nobody's": mint.caller_token(client_id="nobody", audience=audience, now=now),
        "not ours": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJycy1hIn0.",
        "none": "",
    }[what]
    answer = github.get("github", headers=bearer(token))
    assert answer.status_code == 401
    assert canary("github").encode() not in answer.content


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Digest x"},
        {"Authorization": "Basic " + "A" * 8000},
        {"Authorization": "Basic " + base64.b64encode(b"n\x00l:x").decode()},
        basic("rs-a", "wrong"),
        basic("nobody"),
        basic("rs-a", ""),
    ],
)
def test_nobody_else_gets_in_and_both_ways_are_named(github: Held, headers: dict[str, str]) -> None:
    answer = github.get("github", headers=headers)
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    assert answer.json()["status"] == 401
    assert answer["WWW-Authenticate"].startswith("Basic ")
    assert ", Bearer " in answer["WWW-Authenticate"]
    assert canary("github").encode() not in answer.content


def test_public_and_self_registered_clients_never_get_in(github: Held) -> None:
    public = github.approval.client
    assert github.get("github", headers=basic(public.client_id, "x")).status_code == 401
    make_client("dcr", token_endpoint_auth_method="client_secret_post", client_secret=RESOURCE_SERVER_SECRET)
    assert Client.objects.get(client_id="dcr").client_secret
    assert github.get("github", headers=basic("dcr")).status_code == 401
    assert github.post("github", client_id=public.client_id).status_code == 401


def test_a_disabled_caller_is_out_at_once_with_every_proof_it_has(github: Held) -> None:
    token = short_token(github)
    ResourceServer.objects.update(enabled=False)
    assert github.get("github").status_code == 401
    assert github.get("github", headers=bearer(token)).status_code == 401
    assert github.access_token().status_code == 401


def test_a_secret_in_the_address_is_refused(github: Held) -> None:
    answer = github.get("github", headers={}, **SECRET)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert RESOURCE_SERVER_SECRET not in answer.content.decode()


def test_credentials_in_two_places_are_one_too_many(github: Held) -> None:
    answer = github.http.post(github.path("github"), urlencode(SECRET), content_type=FORM, headers=basic())
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_each_caller_has_its_own_sessions_only(github: Held) -> None:
    address = "https://other.example.com/mcp"
    other = Resource.objects.create(identifier=address, canonical=address, name="Other")
    make_resource_server(other, "rs-b")
    assert github.get("github", headers=basic("rs-b")).status_code == 404


@pytest.mark.parametrize("method", ["put", "delete", "patch", "head", "options", "trace"])
def test_other_methods_are_refused_and_the_right_ones_named(github: Held, method: str) -> None:
    answer = getattr(github.http, method)(github.path("github"), headers=basic())
    assert answer.status_code == 405
    assert answer["Allow"] == "GET, POST"


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/json;q=0", "*/*", "nonsense"])
def test_the_answer_is_json_whatever_is_accepted(github: Held, accept: str) -> None:
    answer = github.get(headers={**basic(), "Accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_a_method_in_a_header_is_ignored(github: Held) -> None:
    answer = github.get("github", headers={**basic(), "X-HTTP-Method-Override": "DELETE"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("{}", "application/json"),
        ("<a/>", "application/xml"),
        ("client_id=%ff", FORM),
        ("client_id=x&client_id=y", FORM),
        ("client_id=%zz", FORM),
        ("client_id=rs-a&client_secret=%00", FORM),
    ],
)
def test_a_body_that_cannot_be_read_is_a_bad_request(github: Held, body: str, content_type: str) -> None:
    answer = github.http.post(github.path("github"), body, content_type=content_type)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_every_other_address_says_where_to_look(held: Held) -> None:
    for path in ("/api/v1/", "/api/v1/sessions", "/api/v1/nothing", f"{held.path()}/a/b"):
        for answer in (held.http.get(path), held.http.post(path)):
            assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def waits(answer: Any) -> bool:
    """Whether the caller is told to wait, and then for how long."""
    if answer.status_code == 429:
        assert int(answer["Retry-After"]) >= 1
        assert answer.json()["error"] == "temporarily_unavailable"
    return bool(answer.status_code == 429)


def test_a_caller_that_asks_too_often_waits(github: Held, limited: Settings) -> None:
    limited.RATE_LIMITS["api"] = "3/minute"
    assert [waits(github.get("github")) for _ in range(4)] == [False, False, False, True]


def test_failed_authentication_is_counted_by_address(github: Held, limited: Settings) -> None:
    limited.RATE_LIMITS["client_authentication"] = "3/minute"
    assert [waits(github.get(headers=basic("rs-a", "wrong"))) for _ in range(4)] == [False, False, False, True]
    assert not waits(github.get("github"))


def test_trying_unknown_sessions_is_counted_and_known_ones_are_not(github: Held, limited: Settings) -> None:
    limited.RATE_LIMITS["api_unknown"] = "3/minute"
    assert [waits(github.get(tsid=f"guess-{number}")) for number in range(4)] == [False, False, False, True]
    assert not waits(github.get("github"))


def test_no_web_page_may_read_it(github: Held) -> None:
    for answer in (
        github.get(headers={**basic(), "Origin": "https://app.example"}),
        github.http.options(github.path(), headers={"Origin": "https://app.example"}),
    ):
        assert not [name for name in answer.headers if name.startswith("Access-Control-")]
