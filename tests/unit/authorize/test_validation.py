"""Everything is checked before anybody signs in (behaviour.md, Authorize 1)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import BrowserSession, TokenSession
from authserver.models import Client, Grant, PendingAuthorization, Resource
from tests.harness.approval import REDIRECT_URI, make_resource
from tests.unit.authorize.answers import sent_to
from tests.unit.authorize.conftest import Door
from upstream.models import Visit


def nothing_is_left() -> bool:
    tables = (BrowserSession, TokenSession, Grant, PendingAuthorization, Visit)
    return not any(table.objects.exists() for table in tables)


def is_page_without_redirect(answer: Any, status: int = 400) -> None:
    assert answer.status_code == status
    assert "Location" not in answer
    assert b'http-equiv="refresh"' not in answer.content
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]


def test_a_good_request_shows_consent_and_leaves_nothing_behind(door: Door) -> None:
    for _ in range(2):
        page = door.ask()
        assert page.status_code == 200
        assert page["Cache-Control"] == "no-store"
        assert page["Referrer-Policy"] in {"same-origin", "no-referrer"}
        assert page["X-Frame-Options"] == "DENY"
    assert nothing_is_left()


@pytest.mark.parametrize("client_id", ["unknown", None, "https://unknown.example", "'; DROP TABLE", "x" * 5000])
def test_an_unknown_client_gets_a_page_and_never_a_redirect(door: Door, client_id: str | None) -> None:
    is_page_without_redirect(door.ask(client_id=client_id))


def test_a_disabled_client_is_unknown(door: Door) -> None:
    Client.objects.update(disabled_at=timezone.now())
    is_page_without_redirect(door.ask())


@pytest.mark.parametrize(
    "redirect_uri",
    ["http://127.0.0.1:7777/other", "http://127.0.0.1:7777/CALLBACK", "http://127.0.0.1:7777/callback?x=1",
     "http://127.0.0.1:7777/callback#", "http://localhost:7777/callback", "http://127.0.0.1.evil.example:7777/callback",
     "http://u@127.0.0.1:7777/callback", "https://127.0.0.1:7777/callback", "javascript:alert(1)",
     "http://127.0.0.1:7777/callback/", "http://127.0.0.1:7777/x/../callback", "http://127.0.0.1:99999/callback",
     "http://127.0.0.1:7777/callback\r\nSet-Cookie: x=1"],
)  # fmt: skip
def test_another_redirect_uri_gets_a_page_that_shows_both(door: Door, redirect_uri: str) -> None:
    page = door.ask(redirect_uri=redirect_uri)
    is_page_without_redirect(page)
    assert REDIRECT_URI.encode() in page.content


def test_any_port_of_the_loopback_address_is_the_clients(door: Door) -> None:
    assert door.ask(redirect_uri="http://127.0.0.1:51004/callback").status_code == 200


def test_an_absent_redirect_uri_is_the_only_registered_one(door: Door) -> None:
    assert door.ask(redirect_uri=None).status_code == 200
    Client.objects.update(redirect_uris=f"{REDIRECT_URI} http://127.0.0.1/other")
    is_page_without_redirect(door.ask(redirect_uri=None))


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "x" * 42}, "invalid_request"),
        ({"code_challenge": "x" * 129}, "invalid_request"),
        ({"code_challenge": "x" * 42 + "="}, "invalid_request"),
        ({"code_challenge": "x" * 42 + "+"}, "invalid_request"),
        ({"code_challenge": "é" * 43}, "invalid_request"),
        ({"scope": "unknown"}, "invalid_scope"),
        ({"scope": 'mcp:tools "x"'}, "invalid_scope"),
        ({"scope": "mcp:tools\x07"}, "invalid_scope"),
        ({"scope": "back\\slash"}, "invalid_scope"),
        ({"scope": " ".join(f"s{number}" for number in range(200))}, "invalid_scope"),
        ({"resource": "https://unknown.example/mcp"}, "invalid_target"),
        ({"resource": "https://mcp.example.com/mcp/../admin"}, "invalid_target"),
        ({"resource": "https://mcp.example.com.evil.example/mcp"}, "invalid_target"),
        ({"resource": "https://mcp.example.com/mcp#x"}, "invalid_target"),
        ({"resource": "http://mcp.example.com/mcp"}, "invalid_target"),
        ({"resource": "mcp"}, "invalid_target"),
        ({"resource": "javascript:alert(1)"}, "invalid_target"),
        ({"resource": "https://" + "x" * 8000}, "invalid_target"),
        ({"request": "ey.a.b"}, "request_not_supported"),
        ({"request_uri": "http://169.254.169.254/"}, "request_uri_not_supported"),
        ({"claims": "{"}, "invalid_request"),
        ({"claims": "[" * 4000}, "invalid_request"),
        ({"claims": "3"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "abc"}, "invalid_request"),
        ({"max_age": "99999999999999999999"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "everything"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"nonce": "n" * 300}, "invalid_request"),
    ],
)
def test_every_other_error_goes_to_the_client_with_state_and_iss(
    door: Door, changed: dict[str, str | None], error: str
) -> None:
    to, answer = sent_to(door.ask(**changed))
    assert to == REDIRECT_URI
    assert answer["error"] == error
    assert answer["state"] == "st&te /+é"
    assert answer["iss"] == "http://localhost:8000"
    assert "code" not in answer
    assert nothing_is_left()


def test_a_redirect_uri_keeps_its_own_query(door: Door) -> None:
    Client.objects.update(redirect_uris="https://app.example/cb?a=b")
    to, answer = sent_to(door.ask(redirect_uri="https://app.example/cb?a=b", response_type="token"))
    assert to == "https://app.example/cb"
    assert answer["a"] == "b"
    assert answer["error"] == "unsupported_response_type"


@pytest.mark.parametrize("state", ["x" * 2048, "<script>alert(1)</script>", "🙂%0d%0a", "\r\nX: y", " "])
def test_state_comes_back_byte_for_byte(door: Door, state: str) -> None:
    answer = door.ask(state=state, response_type="token")
    assert sent_to(answer)[1]["state"] == state
    assert "X" not in answer.headers


def test_no_state_gives_none_back(door: Door) -> None:
    assert "state" not in sent_to(door.ask(state=None, response_type="token"))[1]


def test_a_state_over_the_limit_is_refused_without_it(door: Door) -> None:
    answer = sent_to(door.ask(state="x" * 5000))[1]
    assert answer["error"] == "invalid_request"
    assert "state" not in answer


@pytest.mark.parametrize(
    "name", ["client_id", "redirect_uri", "state", "scope", "code_challenge", "response_type", "nonce"]
)
@pytest.mark.parametrize("value", ["%00", "a%00b", "%ff%fe", "%c0%ae", "%zz", "x" * 9000])
def test_malformed_bytes_get_a_page(door: Door, name: str, value: str) -> None:
    from urllib.parse import urlencode

    query = urlencode(door.parameters(**{name: None})) + f"&{name}={value}"
    is_page_without_redirect(door.raw(query))
    assert nothing_is_left()


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "scope"])
def test_a_repeated_parameter_gets_a_page(door: Door, name: str) -> None:
    from urllib.parse import urlencode

    is_page_without_redirect(door.raw(urlencode(door.parameters(**{name: "a"})) + f"&{name}=b"))


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
def test_other_methods_are_405(door: Door, method: str) -> None:
    answer = door.http.generic(method, "/oauth/authorize", HTTP_X_HTTP_METHOD_OVERRIDE="GET")
    assert answer.status_code == 405
    assert "GET" in answer["Allow"]


def test_a_post_of_the_request_is_the_same_request(door: Door) -> None:
    from urllib.parse import urlencode

    page = door.http.post(
        "/oauth/authorize",
        data=urlencode(door.parameters()),
        content_type="application/x-www-form-urlencoded",
    )
    assert page.status_code == 200
    assert b"ticket" in page.content


def test_without_resource_the_default_is_meant_and_without_default_it_must_be_named(door: Door) -> None:
    make_resource("https://other.example.com/mcp")
    assert door.ask(resource=None).status_code == 200
    Resource.objects.update(default=False)
    assert sent_to(door.ask(resource=None))[1]["error"] == "invalid_target"
    Resource.objects.exclude(pk=door.resource.pk).delete()
    assert door.ask(resource=None).status_code == 200


@pytest.mark.parametrize("spelling", ["HTTPS://MCP.EXAMPLE.COM/mcp", "https://mcp.example.com:443/mcp"])
def test_a_resource_may_be_spelled_differently(door: Door, spelling: str) -> None:
    assert door.ask(resource=spelling).status_code == 200


def test_what_a_client_registered_does_not_limit_it_but_the_operator_does(door: Door) -> None:
    Client.objects.update(registered_scope="mcp:tools")
    assert door.ask(scope="mcp:admin").status_code == 200
    Client.objects.update(allowed_scopes="mcp:tools")
    assert sent_to(door.ask(scope="mcp:admin"))[1]["error"] == "invalid_scope"


def test_a_client_cannot_switch_consent_off(door: Door) -> None:
    door.sign_in()
    page = door.raw("&".join([f"approval_prompt=auto&{__import__('urllib.parse').parse.urlencode(door.parameters())}"]))
    assert page.status_code == 200
    assert b"ticket" in page.content


def test_whoever_has_many_ipv6_addresses_is_counted_once(door: Door, settings: Settings) -> None:
    """Each knock may have us fetch a metadata document, and a household has 2**64 addresses to knock from."""
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "authorize": "2/minute"}
    statuses = [door.http.get("/oauth/authorize", REMOTE_ADDR=f"2001:db8::{n}").status_code for n in range(1, 5)]
    assert statuses == [400, 400, 429, 429]
    assert door.http.get("/oauth/authorize", REMOTE_ADDR="2001:db8:0:1::1").status_code == 400


def test_a_head_request_is_told_what_a_get_would_be(door: Door) -> None:
    url = f"/oauth/authorize?{urlencode(door.parameters(response_type='token'))}"
    get, head = door.http.get(url), door.http.head(url)
    assert (head.status_code, head["Location"]) == (get.status_code, get["Location"])


def test_no_page_of_another_origin_may_read_it(door: Door) -> None:
    """RFC 9700 section 2.6: the authorization endpoint does not support cross-origin requests."""
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    for answer in (
        door.http.get("/oauth/authorize", headers=preflight),
        door.http.options("/oauth/authorize", headers=preflight),
    ):
        assert not [name for name in answer.headers if name.startswith("Access-Control-")]
