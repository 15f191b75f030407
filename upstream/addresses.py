"""Which URLs, ports and addresses we call: the decision, without the connection (`upstream.http` makes that).

Written out as lists rather than left to `ipaddress.is_global`, whose answer changes between Python releases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from upstream.errors import OutboundRefused

Address = IPv4Address | IPv6Address

MAX_URL_LENGTH = 8192

# Never, whatever is allowed: nothing there is a web server, or it is a cloud's metadata service.
_NEVER = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # "this network"; Linux connects 0.0.0.0 to loopback
            "169.254.0.0/16",  # link-local, and most clouds' metadata
            "100.100.100.200/32",  # Alibaba Cloud's metadata
            "168.63.129.16/32",  # Azure's wire server, on a public address
            "192.0.0.0/24",  # IETF protocol assignments; Oracle Cloud's metadata
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relay
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and 255.255.255.255
            "fd00:ec2::/32",  # AWS's metadata
        ),
    )
)
# With `allow_private_network` only: loopback, the private ranges and carrier-grade NAT.
_PRIVATE = tuple(
    map(
        ip_network,
        (
            "127.0.0.0/8",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "::1/128",
            "fc00::/7",
        ),
    )
)
# IPv6 is the other way round: only global unicast, without what embeds an IPv4 address or is not routed. So
# mapped, compatible and NAT64 addresses, link-local, site-local and multicast need no line of their own.
_GLOBAL_UNICAST = ip_network("2000::/3")
_NOT_ROUTED = tuple(
    map(
        ip_network,
        (
            "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "3fff::/20",  # documentation
        ),
    )
)

# Above 1023 everything may be a web server, except what is known to be something else.
_SERVICE_PORTS = frozenset({
    1433, 1521, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 4222, 4369, 5432, 5672, 5900, 5984,
    6000, 6379, 6380, 6443, 8086, 8125, 9042, 9092, 9100, 9160, 9200, 9300, 10250, 10255, 11211,
    15672, 16379, 26379, 27017, 27018, 27019, 28017
})  # fmt: skip

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# The WHATWG URL standard's "ends in a number": 2130706433, 0x7f.1, 127.1; addresses in disguise.
_LOOKS_NUMERIC = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\]")


@dataclass(frozen=True)
class Target:
    """A URL taken apart once, so that nothing parses it again and differently. `host` has no brackets."""

    scheme: str
    host: str
    port: int
    path: str
    literal: Address | None


def parse(url: str, *, allow_private_network: bool) -> Target:
    """The URL's parts. Raises `OutboundRefused` for all but plain http(s) to a host we might call."""
    if len(url) > MAX_URL_LENGTH or _UNSAFE.search(url):
        raise OutboundRefused("url_malformed")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or ""), parts.port
    except ValueError:
        raise OutboundRefused("url_malformed") from None
    if parts.scheme not in {"https", "http"}:
        raise OutboundRefused("scheme_not_allowed")
    if parts.scheme == "http" and not allow_private_network:
        raise OutboundRefused("scheme_not_allowed")
    if parts.username is not None or parts.password is not None:
        raise OutboundRefused("url_has_userinfo")
    bracketed = parts.netloc.startswith("[")
    literal = _literal(host, bracketed=bracketed)
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    other_service = port in _SERVICE_PORTS and not allow_private_network  # a developer's port is whatever was free
    if port not in {80, 443} and (port < 1024 or other_service):
        raise OutboundRefused("port_not_allowed")
    if not allow_private_network and (host == "localhost" or host.endswith(".localhost")):
        raise OutboundRefused(
            "address_not_allowed"
        )  # RFC 6761 s6.3: loopback, whatever a resolver or a proxy makes of it
    path = parts.path or "/"
    target = Target(parts.scheme, host, port, f"{path}?{parts.query}" if parts.query else path, literal)
    if literal is not None:
        check(literal, allow_private_network=allow_private_network)
    return target


def _literal(host: str, *, bracketed: bool) -> Address | None:
    """The address a host spells, None for a name. Raises for other spellings and for what is neither."""
    if bracketed:
        if "%" in host:
            raise OutboundRefused("host_malformed")
        try:
            return IPv6Address(host)
        except ValueError:
            raise OutboundRefused("host_malformed") from None
    try:
        return IPv4Address(host)
    except ValueError:
        pass
    if len(host) > 253 or not _HOST_NAME.fullmatch(host) or _LOOKS_NUMERIC.fullmatch(host.rpartition(".")[2]):
        raise OutboundRefused("host_malformed")
    return None


def check(address: Address, *, allow_private_network: bool) -> None:
    """Raise `OutboundRefused` for an address we do not call."""
    if any(address in network for network in _PRIVATE if network.version == address.version):
        permitted = allow_private_network
    elif address.version == 6:
        permitted = address in _GLOBAL_UNICAST and not any(address in network for network in _NOT_ROUTED)
    else:
        permitted = True
    if not permitted or any(address in network for network in _NEVER if network.version == address.version):
        raise OutboundRefused("address_not_allowed")


def checked(found: list[str], *, allow_private_network: bool) -> list[str]:
    """The addresses a name resolved to, if every one may be called: one that mixes in a private one means harm."""
    for text in found:
        try:
            address = ip_address(text)
        except ValueError:
            raise OutboundRefused("address_not_allowed") from None
        check(address, allow_private_network=allow_private_network)
    return found
