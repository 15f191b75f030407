"""Where a request comes from, as far as that can be known: the peer, or what the trusted proxies say about it."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address, ip_network

from django.http import HttpRequest

from authserver.conf import load

# Some proxies write the port behind the address: `192.0.2.1:1234` and `[2001:db8::1]:1234`.
_WITH_PORT = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?|(?P<v4>[0-9.]{7,15}):[0-9]{1,5}")


def client_address(request: HttpRequest) -> str | None:
    """The address of whoever spoke to the outermost of our `Conf.trusted_proxies`, or None where it is no address.

    Each proxy appends the address it was reached from, so the last `trusted_proxies` entries of `X-Forwarded-For` are
    ours and everything before them is the caller's own invention. From anybody but a proxy the header is ignored.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if from_proxy(request) else ""
    if not forwarded:
        return peer_address(request)
    entries = forwarded.split(",")[-load().trusted_proxies :]
    return _normal(entries[0].strip())


def from_proxy(request: HttpRequest) -> bool:
    """Whether it comes through a proxy of ours, whose headers count; with no networks named, whoever connects is one."""
    ours = load()
    if not ours.trusted_proxies or not ours.proxy_networks:
        return ours.trusted_proxies > 0
    peer = peer_address(request)
    return peer is not None and any(ip_address(peer) in network for network in ours.proxy_networks)


def peer_address(request: HttpRequest) -> str | None:
    """The address of whoever connected to us, whatever any header says; None where it is no address."""
    return _normal(request.META.get("REMOTE_ADDR", ""))


def network_of(address: str | None) -> str:
    """What one household or machine has to itself, for counting: an IPv4 address, or the /64 of an IPv6 address."""
    if address is None:
        return "unknown"
    if ":" not in address:
        return address
    return str(ip_network((address, 64), strict=False))


def _normal(text: str) -> str | None:
    """One spelling an address; an IPv4 address that came in an IPv6 coat is written as IPv4."""
    if parts := _WITH_PORT.fullmatch(text):
        text = parts["v6"] or parts["v4"]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:  # means something on one host only, and PostgreSQL's inet has no room for it
            return None
        address = address.ipv4_mapped or address
    return str(address)
