"""Which redirect URIs may be registered (behaviour.md, Authorize 6; RFC 6749 section 3.1.2, RFC 8252 section 7)."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from authserver import redirects
from authserver.conf import load
from authserver.redirects import check_registrable, host_of, kind_of

ALLOWED = [
    ("https://app.example/cb", "app.example", "https"),
    ("https://App.Example/cb", "app.example", "https"),
    ("https://app.example:8443/cb", "app.example", "https"),
    ("https://app.example", "app.example", "https"),
    ("https://app.example?x=1", "app.example", "https"),
    ("https://app.example/cb?next=%2Fhome&x=..", "app.example", "https"),
    ("https://xn--80ak6aa92e.example/cb", "xn--80ak6aa92e.example", "https"),
    ("https://192.0.2.7/cb", "192.0.2.7", "https"),
    ("https://[2001:db8::1]:444/cb", "[2001:db8::1]", "https"),
    ("https://localhost:3000/cb", "localhost", "loopback"),
    ("https://localhost./cb", "localhost.", "loopback"),
    ("https://app.localhost/cb", "app.localhost", "loopback"),
    ("https://127.0.0.2/cb", "127.0.0.2", "loopback"),
    ("https://[::]/cb", "[::]", "loopback"),
    ("https://[0:0:0:0:0:0:0:1]/cb", "[0:0:0:0:0:0:0:1]", "loopback"),
    ("https://[::ffff:127.0.0.1]/cb", "[::ffff:127.0.0.1]", "loopback"),
    ("https://notlocalhost/cb", "notlocalhost", "https"),
    ("http://127.0.0.1:7777/cb", "127.0.0.1", "loopback"),
    ("http://127.0.0.1/", "127.0.0.1", "loopback"),
    ("http://[::1]:9/cb", "[::1]", "loopback"),
    ("http://localhost:33418/", "localhost", "loopback"),
    ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor:", "private_scheme"),
    ("vscode://vscode.github-authentication/did-authenticate", "vscode:", "private_scheme"),
    ("com.example.app:/oauth2redirect", "com.example.app:", "private_scheme"),
    ("com.example.app:///callback", "com.example.app:", "private_scheme"),
]

REFUSED = [
    ("", "empty"),
    ("https://app.example/cb#f", "fragment"),
    ("https://app.example/cb#", "fragment"),
    ("https://user@app.example/cb", "user information"),
    ("https://@app.example/cb", "user information"),
    ("https://:@app.example/cb", "user information"),
    ("com.example.app://user@host/", "user information"),
    ("https://app.example/a b", "character"),
    (" https://app.example/", "character"),
    ("\thttps://app.example/", "character"),
    ("https://app.example/\x00", "character"),
    ("https://app.example/\r\nSet-Cookie:x=1", "character"),
    ("https://app.example/%0d%0aSet-Cookie:x=1", "control"),
    ("https://app.example/?x=%00", "control"),
    ("https://app.example/%5C..%5C", "control"),
    ("https://app.example\\@evil.example/", "character"),
    ("https://аpp.example/cb", "character"),  # noqa: RUF001 - a Cyrillic a
    ("https://app.example。evil.example/cb", "character"),
    ("https://app.example/\ud800", "character"),
    ("https://*.example/cb", "wildcard"),
    ("https://app.example/*", "wildcard"),
    ("https://app.example/../cb", "dot segments"),
    ("https://app.example/a/./cb", "dot segments"),
    ("https://app.example/..", "dot segments"),
    ("https://app.example/%2e%2E/cb", "dot segments"),
    ("https://app.example/.%2e/cb", "dot segments"),
    ("https://app.example/%252e%252e/cb", "dot segments"),
    ("https://app.example/..%2fcb", "dot segments"),
    ("https://app.example/..;x=1/cb", "dot segments"),
    ("com.example.app:/../cb", "dot segments"),
    ("https://app.example/%zz", "percent-encoding"),
    ("https://app.example/%2", "percent-encoding"),
    ("http://app.example/cb", "plain http"),
    ("http://127.0.0.1.evil.example/cb", "plain http"),
    ("http://localhost.evil.example/cb", "plain http"),
    ("http://localhost./cb", "plain http"),
    ("http://0.0.0.0:8000/cb", "plain http"),
    ("http://127.0.0.2/cb", "plain http"),
    ("http://[::ffff:127.0.0.1]/cb", "plain http"),
    ("http://127.1/cb", "malformed"),
    ("https://2130706433/cb", "malformed"),
    ("https://0x7f.1/cb", "malformed"),
    ("https://1.2.3.256/cb", "malformed"),
    ("https:///cb", "no host"),
    ("https:/app.example/cb", "no host"),
    ("https:app.example/cb", "no host"),
    ("https://?x", "no host"),
    ("https://app..example/cb", "malformed"),
    ("https://-app.example/cb", "malformed"),
    ("https://[::1/cb", "malformed"),
    ("com.example.app://[::1/cb", "malformed"),
    ("com.example.app://[name]/cb", "malformed"),
    ("cursor://a]b/cb", "malformed"),
    ("https://[::g]/cb", "malformed"),
    ("https://[fe80::1%25eth0]/cb", "malformed"),
    ("https://app.example:/cb", "malformed"),
    ("https://app.example:port/cb", "malformed"),
    ("https://app.example:0/cb", "port"),
    ("https://app.example:65536/cb", "port"),
    ("/cb", "absolute"),
    ("//app.example/cb", "absolute"),
    ("app.example/cb", "absolute"),
    ("javascript:alert(1)//app.example/cb", "scheme"),
    ("JaVaScRiPt:alert(1)", "scheme"),
    ("java\nscript:alert(1)", "character"),
    ("data:text/html,x", "scheme"),
    ("vbscript:x", "scheme"),
    ("file:///etc/passwd", "scheme"),
    ("blob:https://app.example/1", "scheme"),
    ("about:blank", "scheme"),
    ("myapp:/cb", "scheme"),
    ("myapp.:/cb", "scheme"),
    ("com.example.app:", "nothing follows"),
    ("com.example.app://", "nothing follows"),
    ("urn:ietf:wg:oauth:2.0:oob", "scheme"),
    ("https://app.example/" + "a" * 2048, "longer than 2048"),
]


@pytest.mark.parametrize(("uri", "host", "kind"), ALLOWED)
def test_a_good_redirect_uri_is_allowed_and_known_by_its_host(uri: str, host: str, kind: str) -> None:
    check_registrable(uri)
    assert (host_of(uri), kind_of(uri)) == (host, kind)


@pytest.mark.parametrize(("uri", "reason"), REFUSED)
def test_a_bad_redirect_uri_is_refused_with_its_reason(uri: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_registrable(uri)


def test_a_redirect_uri_of_exactly_2048_characters_is_allowed() -> None:
    check_registrable("https://app.example/".ljust(2048, "a"))


def test_what_an_operator_lists_is_never_a_scheme_that_browsers_run(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = replace(load(), private_use_schemes=("javascript", "myapp"))
    monkeypatch.setattr(redirects, "load", lambda: ours)
    check_registrable("myapp:/cb")
    with pytest.raises(ValueError, match="scheme"):
        check_registrable("javascript:/alert(1)")


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(max_size=300) | st.from_regex(r"(https?|cursor|com\.a):[/\\]{0,3}[^\s]{0,40}", fullmatch=True))
@example("https://[")
@example("https://[]/")
@example("http://localhost:٣/")
def test_any_text_is_either_allowed_or_refused_and_never_an_accident(uri: str) -> None:
    try:
        check_registrable(uri)
    except ValueError:
        return
    assert uri.isascii()
    assert uri.isprintable()
    assert not set(uri) & set(' \\#*"<>')
    assert host_of(uri)
    assert kind_of(uri) in {"https", "loopback", "private_scheme"}


@pytest.mark.parametrize("unit", ["%2e", "../", "a.", "a:", "[", "?", "//", "%", ";.", "-."])
@pytest.mark.parametrize("prefix", ["https://", "https://a.example/", "com.a:/", ""])
def test_no_input_is_slow_to_check(prefix: str, unit: str) -> None:
    uri = (prefix + unit * 2048)[:2048]
    started = time.process_time()
    for _ in range(10):
        try:
            check_registrable(uri)
        except ValueError:
            continue
    assert time.process_time() - started < 0.5
