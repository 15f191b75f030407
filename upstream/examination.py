"""A provider looked at afresh, for operators: nothing that is kept is believed, and nothing kept is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from upstream import discovery, presets
from upstream.errors import OutboundFailed
from upstream.models import Provider

ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")


class Came(Protocol):
    """An answer to a GET, or the `kind` of its absence. `members` is its JSON object, or an empty one."""

    @property
    def status(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def members(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Flaw:
    """`what` is `document`, `jwks_uri` or an endpoint's name; `reason` a kind of `OutboundFailed`, `http_<status>`,
    `missing`, `issuer_mismatch`, `no_keys` or `garbage`."""

    what: str
    reason: str


Get = Callable[[str], Came]


def examine(provider: Provider, get: Get) -> list[Flaw]:
    """What is wrong. Asks no database: it may run on a thread."""
    document: Mapping[str, Any] = {}
    flaws: list[Flaw] = []
    preset = presets.of(provider)
    if preset.is_oidc:
        issuer = provider.issuer or preset.issuer
        if not issuer:
            return [Flaw("document", "missing")]
        came = get(discovery.document_url(issuer))
        if reason := _trouble(came):
            return [Flaw("document", reason)]
        document = came.members
        if document.get("issuer") not in discovery.issuers(provider, issuer):
            return [Flaw("document", "issuer_mismatch")]
        flaws += _of_keys(provider, document, get)
    for name in ENDPOINTS:
        flaws += _of_endpoint(provider, name, document, get)
    return flaws


def _trouble(came: Came) -> str:
    """Why an answer that should be a JSON document is none; empty where it is one."""
    if came.kind:
        return came.kind
    return f"http_{came.status}" if came.status != 200 else "" if came.members else "garbage"


def _of_keys(provider: Provider, document: Mapping[str, Any], get: Get) -> list[Flaw]:
    url = _address(provider, "jwks_uri", document)
    if not url:
        return [Flaw("jwks_uri", "missing")]
    came = get(url)
    if reason := _trouble(came):
        return [Flaw("jwks_uri", reason)]
    keys = came.members.get("keys")
    return [] if isinstance(keys, list) and keys else [Flaw("jwks_uri", "no_keys")]


def _of_endpoint(provider: Provider, name: str, document: Mapping[str, Any], get: Get) -> list[Flaw]:
    """Whether anybody is there: what an endpoint says to a bare GET is its own business, unless it is that it is broken."""
    url = _address(provider, name, document)
    if not url:
        return [] if name == "userinfo_endpoint" else [Flaw(name, "missing")]
    came = get(url)
    if came.kind == "too_large":  # a page: somebody is there
        return []
    reason = came.kind or (f"http_{came.status}" if came.status >= 500 else "")
    return [Flaw(name, reason)] if reason else []


def _address(provider: Provider, name: str, document: Mapping[str, Any]) -> str:
    try:
        return discovery.address_of(provider, name, document)
    except OutboundFailed:
        return ""
