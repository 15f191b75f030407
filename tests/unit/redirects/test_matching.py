"""When a redirect URI is a registered one: the REDIR matrix (RFC 9700 section 2.1, RFC 8252 section 7.3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authserver.redirects import check_registrable, matches

WEB = "https://app.example/cb"
NATIVE = "http://127.0.0.1:7777/cb"


def test_the_exact_string_matches() -> None:
    assert matches([WEB, NATIVE], WEB)
    assert matches([WEB, "com.example.app:/cb"], "com.example.app:/cb")


@pytest.mark.parametrize(
    "given",
    [
        "https://app.example/CB",
        "https://APP.example/cb",
        "HTTPS://app.example/cb",
        "https://app.example/cb/",
        "https://app.example/cb?",
        "https://app.example/cb?x=1",
        "https://app.example/cb#f",
        "https://app.example/cb#",
        "https://app.example/cb;a=1",
        "https://app.example/cb/../evil",
        "https://app.example/%63b",
        "https://user@app.example/cb",
        "https://app.example@evil.example/cb",
        "https://app.example:443/cb",
        "https://app.example:8443/cb",
        "http://app.example/cb",
        "https://app.example.evil.example/cb",
        "https://evil.example/?https://app.example/cb",
        "https:/app.example/cb",
        "https:\\\\app.example\\cb",
        "https://app.example/cb%0d%0aSet-Cookie:x=1",
        "https://app.example/cb\x00",
        "https://app.example/cb\n",
        "https://аpp.example/cb",  # noqa: RUF001 - a Cyrillic a
        "https://app.example。evil.example/cb",
        "javascript:alert(1)//app.example/cb",
        " https://app.example/cb",
        "",
    ],
)
def test_anything_else_does_not_match_a_web_redirect(given: str) -> None:
    assert not matches([WEB], given)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
@pytest.mark.parametrize("registered_port", ["", ":7777"])
@pytest.mark.parametrize("given_port", ["", ":1", ":51004", ":65535"])
def test_a_loopback_redirect_matches_with_any_port(host: str, registered_port: str, given_port: str) -> None:
    assert matches([f"http://{host}{registered_port}/cb?x=1"], f"http://{host}{given_port}/cb?x=1")


@pytest.mark.parametrize(
    "given",
    [
        "http://127.0.0.1:51004/cb?bar=foo",
        "http://127.0.0.1:51004/cb?",
        "http://127.0.0.1:51004/cb/",
        "http://127.0.0.1:51004/CB",
        "http://127.0.0.1:51004/",
        "http://127.0.0.1:51004",
        "http://127.0.0.1:51004/cb#",
        "http://localhost:7777/cb",
        "http://[::1]:7777/cb",
        "https://127.0.0.1:7777/cb",
        "http://127.0.0.1.evil.example:51004/cb",
        "http://127.0.0.1:51004@evil.example/cb",
        "http://user@127.0.0.1:51004/cb",
        "http://0.0.0.0:51004/cb",
        "http://127.0.0.2:51004/cb",
        "http://127.1:51004/cb",
        "http://2130706433:51004/cb",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:+80/cb",
        "http://127.0.0.1:٣/cb",
        "http://127.0.0.1:51004/cb\n",
    ],
)
def test_a_loopback_redirect_matches_in_nothing_but_the_port(given: str) -> None:
    assert not matches([NATIVE], given)


def test_https_on_loopback_has_no_free_port() -> None:
    assert not matches(["https://localhost:3000/cb"], "https://localhost:3001/cb")


def test_a_private_scheme_has_one_spelling() -> None:
    assert not matches(["com.example.app:/oauth2redirect"], "com.example.app://oauth2redirect")
    assert not matches(["cursor://a/b"], "CURSOR://a/b")


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(max_size=100))
def test_whatever_matches_could_have_been_registered(given: str) -> None:
    for text in (given, f"http://localhost{given}", f"http://127.0.0.1:{given}/cb", f"https://app.example{given}"):
        if matches([WEB, NATIVE, "http://localhost/cb"], text):
            check_registrable(text)


def test_nothing_registered_matches_nothing() -> None:
    assert not matches([], "http://127.0.0.1/cb")
    assert not matches([""], "http://127.0.0.1/cb")
