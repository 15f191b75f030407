"""The door to other people's servers: what it refuses before it connects, and what it bounds after."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django import Settings

from tests.fakes.server import FakeServer, Reply, Seen
from upstream import addresses, http
from upstream.errors import OutboundFailed, OutboundRefused


class Canary:
    """A listener that nobody may ever reach. It counts who does."""

    def __init__(self, family: socket.AddressFamily = socket.AF_INET, host: str = "127.0.0.1") -> None:
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.bind((host, 0))
        self.listener.listen()
        self.listener.settimeout(0.05)
        self.port: int = self.listener.getsockname()[1]

    @property
    def reached(self) -> bool:
        try:
            self.listener.accept()[0].close()
        except TimeoutError:
            return False
        return True


@pytest.fixture
def canary() -> Iterator[Canary]:
    canary = Canary()
    yield canary
    canary.listener.close()


class Page(FakeServer):
    """Answers by path; `reply` is the last resort."""

    def __init__(self) -> None:
        super().__init__()
        self.reply = Reply(200, {"a": 1})

    def answer(self, seen: Seen) -> Reply:
        return self.reply


@pytest.fixture
def page() -> Iterator[Page]:
    with Page() as page:
        yield page


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.9.9.9",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "localhost%00.example.com",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "0",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "127.0.0.0x1",
        "\uff11\uff12\uff17.0.0.1",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::ffff:0:127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::127.0.0.1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[fe80::1%25lo]",
        "[::1%25lo]",
        "example.com@127.0.0.1",
        "example.com:x@127.0.0.1",
        "127.0.0.1\\.example.com",
        "127.0.0.1\t",
        "",
        "-a.example",
        "a..example",
        "a" * 64 + ".example",
    ],
)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_no_spelling_of_this_machine_is_called(canary: Canary, scheme: str, host: str) -> None:
    with pytest.raises((OutboundRefused, OutboundFailed)) as refusal:
        http.request("GET", f"{scheme}://{host}:{canary.port}/", timeout_seconds=2)
    assert isinstance(refusal.value, OutboundRefused) or refusal.value.reason == "dns"
    assert not canary.reached


REFUSED = [
    "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.1.1",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1",
    "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "168.63.129.16", "100.100.100.200",
    "::", "::1", "::7f00:1", "::ffff:8.8.8.8", "::ffff:0:808:808", "64:ff9b::808:808", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:808:808::", "3fff::1", "5f00::1",
    "fc00::1", "fd00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "4000::1",
]  # fmt: skip
ALLOWED = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.167.1.1", "198.17.0.1",
           "2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888"]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_are_nobodys_website_are_refused(address: str) -> None:
    with pytest.raises(OutboundRefused, match="address_not_allowed"):
        addresses.check(ip_address(address), allow_private_network=False)


@pytest.mark.parametrize("address", ALLOWED)
def test_public_addresses_are_allowed(address: str) -> None:
    addresses.check(ip_address(address), allow_private_network=False)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1", "::1", "fd12::1", "8.8.8.8"]
)
def test_development_may_call_the_private_network(address: str) -> None:
    addresses.check(ip_address(address), allow_private_network=True)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "100.100.100.200",
        "fd00:ec2::254",
        "fe80::1",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "224.0.0.1",
        "255.255.255.255",
        "::ffff:10.0.0.1",
    ],
)
def test_development_may_not_call_metadata_services_either(address: str) -> None:
    with pytest.raises(OutboundRefused):
        addresses.check(ip_address(address), allow_private_network=True)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", "scheme_not_allowed"),
        ("ftp://example.com/", "scheme_not_allowed"),
        ("file:///etc/passwd", "scheme_not_allowed"),
        ("gopher://example.com/", "scheme_not_allowed"),
        ("//example.com/", "scheme_not_allowed"),
        ("", "scheme_not_allowed"),
        ("https://user:password@example.com/", "url_has_userinfo"),
        ("https://@example.com/", "url_has_userinfo"),
        ("https://example.com:22/", "port_not_allowed"),
        ("https://example.com:25/", "port_not_allowed"),
        ("https://example.com:0/", "port_not_allowed"),
        ("https://example.com:1023/", "port_not_allowed"),
        ("https://example.com:5432/", "port_not_allowed"),
        ("https://example.com:6379/", "port_not_allowed"),
        ("https://example.com:11211/", "port_not_allowed"),
        ("https://example.com:65536/", "url_malformed"),
        ("https://example.com:x/", "url_malformed"),
        ("https://[::1/", "url_malformed"),
        ("https://exam\nple.com/", "url_malformed"),
        ("https://example.com/\r\nX: y", "url_malformed"),
        ("https://example.com/a b", "url_malformed"),
        ("https://example.com\\@127.0.0.1/", "url_malformed"),
        ("https://ex\u00e4mple.com/", "url_malformed"),
        ("https://example.com/" + "a" * 8192, "url_malformed"),
    ],
)
def test_only_plain_https_to_web_ports_is_called(url: str, reason: str) -> None:
    with pytest.raises(OutboundRefused) as refusal:
        http.request("GET", url)
    assert refusal.value.reason == reason


def resolving_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """The resolver answers a name with these addresses, the next list at the next question. Answers what was asked."""
    asked: list[str] = []
    real = socket.getaddrinfo
    remaining = list(answers)

    def answer(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if not str(host).endswith(".example"):
            return real(host, port, *args, **kwargs)
        asked.append(host)
        found = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


def test_a_name_for_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch, canary: Canary) -> None:
    resolving_to(monkeypatch, ["127.0.0.1"])
    with pytest.raises(OutboundRefused, match="address_not_allowed"):
        http.request("GET", f"https://inside.example:{canary.port}/")
    assert not canary.reached


def test_a_name_for_a_public_and_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch, canary: Canary) -> None:
    resolving_to(monkeypatch, ["8.8.8.8", "127.0.0.1"])
    with pytest.raises(OutboundRefused, match="address_not_allowed"):
        http.request("GET", f"https://mixed.example:{canary.port}/")
    assert not canary.reached


def test_the_checked_address_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch, page: Page) -> None:
    """The name is asked for once; what it says a moment later no longer matters (DNS rebinding)."""
    asked = resolving_to(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    port = page.url.rpartition(":")[2]
    answer = http.request("GET", f"http://rebinding.example:{port}/", allow_private_network=True)
    assert answer.status == 200
    assert asked == ["rebinding.example"]
    assert page.seen[0].headers["host"] == f"rebinding.example:{port}"


def test_the_next_address_is_tried_where_the_first_does_not_answer(monkeypatch: pytest.MonkeyPatch, page: Page) -> None:
    resolving_to(monkeypatch, ["127.0.0.9", "127.0.0.1"])
    port = page.url.rpartition(":")[2]
    assert http.request("GET", f"http://two.example:{port}/", allow_private_network=True).status == 200


def test_a_redirect_is_an_answer_and_is_not_followed(page: Page, canary: Canary) -> None:
    page.reply = Reply(302, body=b"", headers={"Location": f"http://127.0.0.1:{canary.port}/"})
    answer = http.request("GET", page.url, allow_private_network=True)
    assert (answer.status, answer.headers["location"]) == (302, f"http://127.0.0.1:{canary.port}/")
    assert not canary.reached


def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch, page: Page, canary: Canary) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    assert http.request("GET", page.url, allow_private_network=True).status == 200
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


def dripping(first: bytes, drip: bytes) -> tuple[int, Callable[[], None]]:
    """A server that says `first` at once, and then `drip` every 50 ms for ever. Answers its port and how to stop it."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve() -> None:
        listener.settimeout(5)
        try:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(first)
                while not stopped.wait(0.05):
                    connection.sendall(drip)
        except OSError:
            pass  # the caller hung up, which is the point

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def stop() -> None:
        stopped.set()
        thread.join()
        listener.close()

    return listener.getsockname()[1], stop


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
    opened: list[object] = []
    real = http.create_connection

    def counting(*args: Any, **kwargs: Any) -> socket.socket:
        opened.append(args)
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "create_connection", counting)
        for _ in range(5):
            http.request("GET", page.url, allow_private_network=True)
    assert len(opened) == 1


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


# --- TLS --------------------------------------------------------------------------------------------------------------


def certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for a DNS name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = directory / "chain.pem", directory / "key.pem"
    chain.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, private


@pytest.fixture
def tls_page(tmp_path: Path) -> Iterator[tuple[Page, Path, list[str | None]]]:
    """A page over TLS as `trusted.example`, the authority to trust for it, and the names (SNI) it was asked for."""
    chain, private = certificate(tmp_path, "trusted.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    names: list[str | None] = []
    context.sni_callback = lambda sock, name, context: names.append(name)
    page = Page()
    page.wrap(context)
    with page:
        yield page, chain, names


@pytest.fixture
def fresh_pools() -> Iterator[None]:
    """TLS trust is read once a process."""
    for cached in (http._pools, http._tls_context):
        cached.cache_clear()
    yield
    for cached in (http._pools, http._tls_context):
        cached.cache_clear()


@pytest.mark.usefixtures("fresh_pools")
def test_an_operators_own_authority_is_trusted_and_the_name_is_verified(
    tls_page: tuple[Page, Path, list[str | None]], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, authority, names = tls_page
    settings.UPSTREAM_CA_FILE = str(authority)
    resolving_to(monkeypatch, ["127.0.0.1"])
    port = page.url.rpartition(":")[2]
    answer = http.request("GET", f"https://trusted.example:{port}/", allow_private_network=True)
    assert answer.json() == {"a": 1}
    assert names == ["trusted.example"]  # SNI and the certificate are the name's, though the address was called
    assert page.seen[0].headers["host"] == f"trusted.example:{port}"
    with pytest.raises(OutboundFailed, match="tls"):
        http.request("GET", f"https://other.example:{port}/", allow_private_network=True)


@pytest.mark.usefixtures("fresh_pools")
def test_an_unknown_authority_is_not_trusted(
    tls_page: tuple[Page, Path, list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, _, _ = tls_page
    resolving_to(monkeypatch, ["127.0.0.1"])
    with pytest.raises(OutboundFailed) as failure:
        http.request("GET", f"https://trusted.example:{page.url.rpartition(':')[2]}/", allow_private_network=True)
    assert failure.value.kind == "tls"
    assert page.seen == []
