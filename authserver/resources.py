"""Resource identifiers (RFC 8707 s2): what may be registered, and when two spellings name one resource."""

from __future__ import annotations

import re

MAX_LENGTH = 2048
DEFAULT_PORTS = {"https": 443, "http": 80}
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

# Printable ASCII only, so that no control character, space or look-alike letter gets any further.
_PRINTABLE = re.compile(r"[!-~]+")
_PARTS = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<host>\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._~-]+)(?::(?P<port>[0-9]{0,5}))?(?P<rest>[/?].*)?"
)


class InvalidIdentifier(ValueError):
    """Not a resource identifier; the message says why, in words fit for the client."""


def canonical(identifier: str) -> str:
    """The one spelling of an identifier: compare these, never the text a client sent.

    Scheme and host in lower case, the default port dropped, an empty path for `/` (some clients add the root slash,
    some strip it). The rest is left alone: dot segments, percent-escapes and a trailing slash after a path all name
    something else. Raises `InvalidIdentifier` unless it is an absolute `https` URL (plain `http` on loopback) without
    fragment and user info.
    """
    if len(identifier) > MAX_LENGTH:
        raise InvalidIdentifier(f"is longer than {MAX_LENGTH} characters")
    if not _PRINTABLE.fullmatch(identifier):
        raise InvalidIdentifier("holds characters that a URL may not hold")
    if "#" in identifier:
        raise InvalidIdentifier("has a fragment")
    parts = _PARTS.fullmatch(identifier)
    if parts is None:
        raise InvalidIdentifier("is not an absolute https URL")
    scheme, host = parts["scheme"].lower(), parts["host"].lower()
    if scheme not in DEFAULT_PORTS:
        raise InvalidIdentifier("is not an absolute https URL")
    if scheme == "http" and host not in LOOPBACK_HOSTS:
        raise InvalidIdentifier("is plain http (allowed on loopback only)")
    port = int(parts["port"] or DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        raise InvalidIdentifier("has an impossible port")
    rest = parts["rest"] or ""
    if rest == "/" or rest.startswith("/?"):
        rest = rest[1:]
    return f"{scheme}://{host}{'' if port == DEFAULT_PORTS[scheme] else f':{port}'}{rest}"
