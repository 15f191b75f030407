"""Checks of single texts, and of the small mappings that several sections share."""

from __future__ import annotations

import re
from collections.abc import Mapping

from authserver.configuration.reading import Check, Fields
from authserver.configuration.tree import Listing, Scalar
from authserver.scopes import SCOPE
from upstream import addresses
from upstream.errors import OutboundRefused

_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")
_CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{1,255}")
_HOST_PATTERN = re.compile(
    r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(:[0-9]{1,5})?"
)

_REFUSALS = {
    "scheme_not_allowed": "is not https; use https (http only with `allow_private_network: true`)",
    "address_not_allowed": "is an address we do not call; use a public one (or `allow_private_network: true`)",
    "port_not_allowed": "has a port we do not call; use 443 or one above 1023 that is no other service's",
    "url_has_userinfo": "has a user name in it; remove it",
}


def scope(text: str) -> str | None:
    """RFC 6749 s3.3."""
    return None if SCOPE.fullmatch(text) else "is not one scope; no spaces, quotes or backslashes (one list item each)"


def client_id(text: str) -> str | None:
    """What needs no escaping anywhere, and can never be taken for a metadata document's URL."""
    return None if _CLIENT_ID.fullmatch(text) else "is not a client id; use letters, digits, `.`, `_`, `~` and `-`"


def domain(text: str) -> str | None:
    return None if _DOMAIN.fullmatch(text) else "is not a domain; write it in lower case, without `@` (example.com)"


def email(text: str) -> str | None:
    return None if _EMAIL.fullmatch(text) else "is not an e-mail address; write name@example.com"


def host_pattern(text: str) -> str | None:
    return (
        None if _HOST_PATTERN.fullmatch(text) else "is not a host; write `example.com` or `*.example.com`, lower case"
    )


def url(text: str, *, allow_private_network: bool) -> str | None:
    """Whether it is a URL that we would call; what a name resolves to is checked at each call."""
    if "#" in text:
        return "has a fragment; remove it"
    try:
        addresses.parse(text, allow_private_network=allow_private_network)
    except OutboundRefused as refused:
        return _REFUSALS.get(refused.reason, "is not a URL; write https://host/path")
    return None


def issuer(text: str, *, allow_private_network: bool) -> str | None:
    """OIDC Discovery s4: no query, no fragment, and the discovery path is ours to add."""
    if "/.well-known/" in text:
        return f"is the discovery document; write {text.partition('/.well-known/')[0]}"
    return "has a query; remove it" if "?" in text else url(text, allow_private_network=allow_private_network)


def allow(entry: Fields, lists: Mapping[str, Check | None]) -> dict[str, object]:
    """Who may come in. `lists` names the keys this section knows and the check of their texts; only what is said is kept."""
    fields = entry.fields("allow")
    if fields is None:
        return {}
    kept: dict[str, object] = {}
    for name, check in lists.items():
        if name == "claims":
            kept[name] = claim_values(fields)
        else:
            kept[name] = list(fields.texts(name, check=check))
    fields.done()
    return {name: value for name, value in kept.items() if value}


def claim_values(fields: Fields) -> dict[str, list[str | int | bool]]:
    """`claims: {hd: example.com, groups: [a, b]}`: each claim with the values that let a person in."""
    claims = fields.fields("claims")
    if claims is None:
        return {}
    accepted: dict[str, list[str | int | bool]] = {}
    for name in claims.names():
        node = claims.table.entries[name]
        items = node.items if isinstance(node, Listing) else (node,)
        values = [item.value for item in items if isinstance(item, Scalar) and item.value is not None]
        if not values or len(values) != len(items):
            claims.problem(name, "is not a value or a list of values", f"write `{name}: [value]`")
        accepted[name] = values
    return accepted
