"""The rules for redirect URIs: what may be registered, and when a given one is a registered one.

RFC 6749 section 3.1.2, RFC 8252 sections 7 and 8, RFC 9700 section 2.1. The text is compared as it was sent; nothing
here repairs, decodes or normalises a URI, because whoever follows it would repair it differently. Every check is
linear in the URI's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address
from typing import Literal
from urllib.parse import unquote

from authserver.conf import load

MAX_LENGTH = 2048

Kind = Literal["https", "loopback", "private_scheme"]

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "[::1]", "localhost"})

# RFC 3986 section 2: what a URI is made of, without `#` and `*`, which are refused in words of their own.
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()+,;=%]+")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED_CONTROL = re.compile(r"%(?:[01][0-9A-Fa-f]|7[Ff]|5[Cc])")  # CR, LF and NUL among them; and the backslash
_PARTS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,99}):(?://(?P<authority>[^/?]*))?(?P<path>[^?]*)(?P<query>\?.*)?"
)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_OCTET = re.compile(r"25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9]")
_NUMERIC = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_DOTTED_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")
_LOOPBACK = re.compile(r"http://(?P<host>127\.0\.0\.1|\[::1\]|localhost)(?::(?P<port>[0-9]{1,5}))?(?P<rest>[/?].*)?")

# Whatever an operator lists: a browser runs these, reads them from disk, or takes them for a page of its own.
_NEVER = frozenset(
    [
        "about",
        "blob",
        "chrome",
        "data",
        "file",
        "filesystem",
        "ftp",
        "javascript",
        "vbscript",
        "view-source",
        "ws",
        "wss",
    ]
)


def check_registrable(uri: str) -> None:
    """Raise `ValueError`, with a reason fit for the client's developer, unless `uri` may be registered.

    Allowed are `https` with a host, `http` on 127.0.0.1, [::1] and localhost, and private-use schemes that have a dot
    (RFC 8252 section 7.1) or stand in `Conf.private_use_schemes`.
    """
    if not uri:
        raise ValueError("it is empty")
    if len(uri) > MAX_LENGTH:
        raise ValueError(f"it is longer than {MAX_LENGTH} characters")
    if "#" in uri:
        raise ValueError("it has a fragment (RFC 6749 section 3.1.2)")
    if "*" in uri:
        raise ValueError("wildcards are not supported: register each redirect URI in full")
    if not _CHARACTERS.fullmatch(uri):
        raise ValueError(
            "it holds a character that a URI may not hold: spaces, control characters, backslashes and letters beyond "
            "ASCII are percent-encoded, an international host name is written in punycode"
        )
    if _BAD_PERCENT.search(uri):
        raise ValueError("its percent-encoding is malformed")
    if _ENCODED_CONTROL.search(uri):
        raise ValueError("it holds a percent-encoded control character or backslash")
    parts = _PARTS.fullmatch(uri)
    if parts is None:
        raise ValueError("it is not an absolute URI")
    scheme, authority = parts["scheme"].lower(), parts["authority"]
    if authority is not None and "@" in authority:
        raise ValueError("it holds user information before the host")
    if _has_dot_segment(parts["path"]):
        raise ValueError("its path holds dot segments")
    if scheme in {"http", "https"}:
        _check_web(scheme, authority)
    else:
        _check_private(scheme, authority, parts["path"])


def _check_web(scheme: str, authority: str | None) -> None:
    if not authority:
        raise ValueError("it has no host")
    host, port = _host_and_port(authority)
    if port is not None and not 0 < port < 65536:
        raise ValueError("its port is impossible")
    if scheme == "http" and host not in LOOPBACK_HOSTS:
        raise ValueError("plain http is allowed on 127.0.0.1, [::1] and localhost only")


def _host_and_port(authority: str) -> tuple[str, int | None]:
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None or not _is_host(parts["host"]):
        raise ValueError("its host or port is malformed")
    return parts["host"].lower(), int(parts["port"]) if parts["port"] else None


def _is_host(host: str) -> bool:
    """An IPv6 literal, an IPv4 address as everybody writes it, or a name that no browser takes for an address."""
    if host.startswith("["):
        try:
            IPv6Address(host[1:-1])
        except ValueError:
            return False
        return True
    labels = host.removesuffix(".").split(".")
    if _NUMERIC.fullmatch(labels[-1]):  # WHATWG URL, "ends in a number": 2130706433, 0x7f.1 and 127.1 are addresses
        return len(labels) == 4 and not host.endswith(".") and all(_OCTET.fullmatch(label) for label in labels)
    return all(_LABEL.fullmatch(label) for label in labels)


def _check_private(scheme: str, authority: str | None, path: str) -> None:
    known = scheme in load().private_use_schemes or _DOTTED_SCHEME.fullmatch(scheme) is not None
    if scheme in _NEVER or not known:
        raise ValueError(
            f"the scheme {scheme!r} is not allowed: use https, loopback http, or a private-use scheme with a dot"
        )
    if authority and ("[" in authority or "]" in authority):  # what is no IP literal there, no URL parser reads
        raise ValueError("its host or port is malformed")
    if not authority and not path.startswith("/"):
        raise ValueError("nothing follows its scheme")


def _has_dot_segment(path: str) -> bool:
    """Whether a segment is `.` or `..`, in clear, percent-encoded once or twice, or with a path parameter behind it."""
    decoded = unquote(unquote(path))
    return any(segment.partition(";")[0] in {".", ".."} for segment in decoded.split("/"))


def matches(registered: Iterable[str], given: str) -> bool:
    """Whether `given` is one of `registered`: the exact string, except for the port of a loopback `http` URI.

    RFC 8252 section 7.3 and OAuth 2.1 section 8.4.2. 127.0.0.1, [::1] and localhost are three different hosts.
    """
    known = list(registered)
    return given in known or _without_port(given) in {_without_port(uri) for uri in known} - {None}


def _without_port(uri: str) -> tuple[str, str] | None:
    """Host and all that follows the port of a loopback `http` URI; None for every other URI."""
    parts = _LOOPBACK.fullmatch(uri)
    if parts is None or not 0 < int(parts["port"] or 80) < 65536:
        return None
    return parts["host"], parts["rest"] or ""


def without_port(uri: str) -> str:
    """The same for every port of a loopback URI: what `matches` does not tell apart."""
    loopback = _without_port(uri)
    return "".join(loopback) if loopback else uri


def host_of(uri: str) -> str:
    """Where a checked redirect URI leads, for people: the host without its port, or a private scheme as `cursor:`.

    Raises `ValueError` for an `http` or `https` URI that could not have been registered.
    """
    scheme, _, rest = uri.partition(":")
    if scheme.lower() not in {"http", "https"}:
        return f"{scheme.lower()}:"
    return _host_and_port(re.split("[/?]", rest.removeprefix("//"), maxsplit=1)[0])[0]


def kind_of(uri: str) -> Kind:
    """What a checked redirect URI leads to; `loopback` is this computer by either `http` or `https`."""
    host = host_of(uri)
    if host.endswith(":"):
        return "private_scheme"
    return "loopback" if _is_this_computer(host) else "https"


def _is_this_computer(host: str) -> bool:
    """Whatever it is written like: browsers take every `.localhost` for this computer, and 127.0.0.0/8 is all of it."""
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified
