"""Where a request comes from: the peer, or what the trusted proxies say."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest
from django.test import RequestFactory

from authserver import addresses
from authserver.conf import load

PEER = "192.0.2.9"


def seen(
    monkeypatch: pytest.MonkeyPatch,
    proxies: int,
    forwarded: str | None,
    peer: str = PEER,
    networks: tuple[str, ...] = (),
) -> str | None:
    ours = replace(load(), trusted_proxies=proxies, proxy_networks=tuple(map(ip_network, networks)))
    monkeypatch.setattr(addresses, "load", lambda: ours)
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return addresses.client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer))


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, None, PEER),
        (0, "203.0.113.1", PEER),
        (1, None, PEER),
        (1, "203.0.113.1", "203.0.113.1"),
        (1, "1.1.1.1, 203.0.113.1", "203.0.113.1"),
        (2, "1.1.1.1, 203.0.113.1, 10.0.0.1", "203.0.113.1"),
        (2, "203.0.113.1", "203.0.113.1"),
        (1, "1.1.1.1,203.0.113.1:4711", "203.0.113.1"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "2001:DB8:0:0::1", "2001:db8::1"),
        (1, "::ffff:203.0.113.1", "203.0.113.1"),
        (1, "fe80::1%eth0", None),
        (1, "unknown", None),
        (1, "'; DROP TABLE --", None),
        (1, "1.1.1.1,", None),
        (1, "999.1.1.1", None),
    ],
)
def test_only_what_a_trusted_proxy_appended_counts(
    monkeypatch: pytest.MonkeyPatch, proxies: int, forwarded: str | None, expected: str | None
) -> None:
    assert seen(monkeypatch, proxies, forwarded) == expected


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("10.1.2.3", "203.0.113.1"),
        ("::ffff:10.1.2.3", "203.0.113.1"),
        ("2001:db8:9::1", "203.0.113.1"),
        ("192.0.2.9", "192.0.2.9"),
        ("2001:db8:a::1", "2001:db8:a::1"),
        ("", None),
    ],
)
def test_a_peer_outside_the_proxies_networks_speaks_for_itself_alone(
    monkeypatch: pytest.MonkeyPatch, peer: str, expected: str | None
) -> None:
    networks = ("10.0.0.0/8", "2001:db8:9::/48")
    assert seen(monkeypatch, 1, "1.1.1.1, 203.0.113.1", peer=peer, networks=networks) == expected


def test_a_socket_without_an_address_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(monkeypatch, 0, None, peer="") is None


@pytest.mark.parametrize(
    ("address", "network"),
    [(None, "unknown"), ("192.0.2.9", "192.0.2.9"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")],
)
def test_counting_is_by_what_one_household_has(address: str | None, network: str) -> None:
    assert addresses.network_of(address) == network
