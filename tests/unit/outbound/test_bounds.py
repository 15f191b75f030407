"""A call that is allowed: what is sent, and what bounds the answer in time and size."""

from __future__ import annotations

import gzip
import socket
import threading
import time

import pytest

from tests.fakes.server import Reply
from tests.unit.outbound.servers import Canary, Page, dripping
from upstream import http
from upstream.errors import OutboundFailed


def test_a_redirect_is_an_answer_and_is_not_followed(page: Page, canary: Canary) -> None:
    page.reply = Reply(302, body=b"", headers={"Location": f"http://127.0.0.1:{canary.port}/"})
    answer = http.request("GET", page.url, allow_private_network=True)
    assert (answer.status, answer.headers["location"]) == (302, f"http://127.0.0.1:{canary.port}/")
    assert not canary.reached


def test_no_cookie_is_kept_between_callers(page: Page) -> None:
    page.reply = Reply(200, {}, headers={"Set-Cookie": "session=of-somebody"})
    for _ in range(2):
        http.request("GET", page.url, allow_private_network=True)
    assert all("cookie" not in seen.headers for seen in page.seen)


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_too_large_is_cut_off(page: Page, announced: bool) -> None:
    content = b"x" * 2000
    if announced:
        page.reply = Reply(200, body=content)
    else:
        chunked = b"7d0\r\n" + content + b"\r\n0\r\n\r\n"
        page.reply = Reply(200, body=chunked, headers={"Transfer-Encoding": "chunked"})
    with pytest.raises(OutboundFailed, match="too_large"):
        http.request("GET", page.url, allow_private_network=True, max_bytes=1999)
    if announced:
        assert http.request("GET", page.url, allow_private_network=True, max_bytes=2000).body == content


def test_nothing_is_decompressed(page: Page) -> None:
    """Ten megabytes of zeros in ten kilobytes stay ten kilobytes."""
    bomb = gzip.compress(b"0" * 10_000_000)
    page.reply = Reply(200, body=bomb, headers={"Content-Encoding": "gzip"})
    answer = http.request("GET", page.url, allow_private_network=True, max_bytes=100_000)
    assert answer.body == bomb
    with pytest.raises(OutboundFailed, match="garbage"):
        answer.json()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"NaN", b'{"a": Infinity}', b"[" * 100_000, b"1" * 5000],
    ids=lambda body: str(body[:16]),
)
def test_garbage_is_not_json(page: Page, body: bytes) -> None:
    page.reply = Reply(200, body=body)
    with pytest.raises(OutboundFailed, match="garbage"):
        http.request("GET", page.url, allow_private_network=True).json()


@pytest.mark.parametrize(
    ("first", "drip"),
    [
        pytest.param(b"", b"H", id="the status line"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", id="headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"a", id="the body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", id="chunks"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", id="continues"),
    ],
)
def test_the_whole_call_has_one_deadline(first: bytes, drip: bytes) -> None:
    port, stop = dripping(first, drip)
    began = time.monotonic()
    try:
        with pytest.raises(OutboundFailed):
            http.request("GET", f"http://127.0.0.1:{port}/", allow_private_network=True, timeout_seconds=0.5)
    finally:
        stop()
    assert time.monotonic() - began < 5


def test_a_server_that_does_not_read_what_is_sent_times_out(canary: Canary) -> None:
    """More than fits between the two kernels: it is the sending that hangs."""
    began = time.monotonic()
    with pytest.raises(OutboundFailed):
        http.request(
            "POST",
            f"http://127.0.0.1:{canary.port}/",
            allow_private_network=True,
            data=b"x" * 32 * 1024 * 1024,
            timeout_seconds=0.5,
        )
    assert time.monotonic() - began < 5


def test_a_silent_server_times_out(canary: Canary) -> None:
    with pytest.raises(OutboundFailed) as failure:
        http.request("GET", f"http://127.0.0.1:{canary.port}/", allow_private_network=True, timeout_seconds=0.2)
    assert failure.value.kind == "timeout"


def test_a_resolver_that_does_not_answer_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: asked.wait(10) and [])
    with pytest.raises(OutboundFailed, match="timeout"):
        http.request("GET", "https://slow.example/", timeout_seconds=0.2)
    asked.set()


def test_a_closed_port_is_a_failed_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(OutboundFailed) as failure:
        http.request("GET", f"http://127.0.0.1:{port}/", allow_private_network=True)
    assert failure.value.kind == "connection"


def test_connections_are_kept(page: Page) -> None:
    """A handshake costs more than all the rest of a call."""
    for _ in range(5):
        http.request("GET", page.url, allow_private_network=True)
    assert len({seen.peer for seen in page.seen}) == 1


def test_what_is_sent(page: Page) -> None:
    http.request("POST", page.url, allow_private_network=True, data={"a": "b&c"}, auth=("id", "se:cret"))
    http.request("POST", page.url, allow_private_network=True, json={"a": 1}, headers={"authorization": "Bearer x"})
    form, document = page.seen
    assert form.form == {"a": "b&c"}
    assert form.headers["authorization"] == "Basic aWQ6c2U6Y3JldA=="
    assert form.headers["content-type"] == "application/x-www-form-urlencoded"
    assert document.headers["content-type"] == "application/json"
    assert document.headers["authorization"] == "Bearer x"


def test_a_header_with_a_line_break_is_not_sent(page: Page) -> None:
    with pytest.raises(OutboundFailed, match="request"):
        http.request("GET", page.url, allow_private_network=True, headers={"Authorization": "Bearer a\r\nX: y"})
    assert page.seen == []


def test_an_answer_shows_nothing_of_itself(page: Page) -> None:
    page.reply = Reply(200, {"access_token": "CANARY"}, headers={"Set-Cookie": "CANARY"})
    assert "CANARY" not in repr(http.request("GET", page.url, allow_private_network=True))
