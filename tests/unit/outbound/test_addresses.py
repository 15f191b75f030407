"""What is refused before any connection: spellings of this machine, addresses, schemes, ports, names that change."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from tests.unit.outbound.network import Network
from tests.unit.outbound.servers import Canary, Page
from upstream import addresses, http
from upstream.errors import OutboundFailed, OutboundRefused


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


def test_a_name_for_a_private_address_is_refused(network: Network) -> None:
    network.names["inside.example"] = [["127.0.0.1"]]
    with pytest.raises(OutboundRefused, match="address_not_allowed"):
        http.request("GET", "https://inside.example/")
    assert network.connected == []


def test_a_name_for_a_public_and_a_private_address_is_refused(network: Network) -> None:
    network.names["mixed.example"] = [["8.8.8.8", "127.0.0.1"]]
    with pytest.raises(OutboundRefused, match="address_not_allowed"):
        http.request("GET", "https://mixed.example/")
    assert network.connected == []


def test_the_checked_address_is_the_one_that_is_called(network: Network, page: Page) -> None:
    """The name is asked for once; what it says a moment later no longer matters (DNS rebinding)."""
    network.names["rebinding.example"] = [["127.0.0.1"], ["169.254.169.254"]]
    port = int(page.url.rpartition(":")[2])
    network.open(port)
    answer = http.request("GET", f"http://rebinding.example:{port}/", allow_private_network=True)
    assert answer.status == 200
    assert network.asked == ["rebinding.example"]
    assert page.seen[0].headers["host"] == f"rebinding.example:{port}"


def test_the_next_address_is_tried_where_the_first_does_not_answer(network: Network, page: Page) -> None:
    network.names["two.example"] = [["127.0.0.9", "127.0.0.1"]]
    port = int(page.url.rpartition(":")[2])
    network.open(port)
    assert http.request("GET", f"http://two.example:{port}/", allow_private_network=True).status == 200
    assert network.connected == [("127.0.0.9", port), ("127.0.0.1", port)]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "foo.localhost", "a.b.LocalHost"])
def test_this_machines_names_are_refused_before_anybody_is_asked_for_them(network: Network, host: str) -> None:
    with pytest.raises(OutboundRefused, match="address_not_allowed"):
        http.request("GET", f"https://{host}/")
    assert network.asked == []
