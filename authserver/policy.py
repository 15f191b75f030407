"""The operator's lifetimes and registration mode: one row, read at most every five seconds a process.

A stale read is safe here: it moves a lifetime by seconds. Nothing about revocation is decided on it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

from authserver.models import Policy

MAX_AGE_SECONDS = 5.0
MAX_ACCESS_TOKEN_SECONDS = 86400
"""What no operator can exceed, for the server or for one resource."""


@dataclass(frozen=True)
class Lifetimes:
    """All in seconds (behaviour.md, Lifetimes)."""

    access_token: int = 3600
    refresh_idle: int = 30 * 86400
    refresh_absolute: int = 90 * 86400
    refresh_replay: int = 120
    code: int = 60
    pending: int = 900
    browser_session: int = 12 * 3600
    signing_key: int = 90 * 86400


@dataclass(frozen=True)
class Cimd:
    """Client ID Metadata Documents. Host lists hold exact names or `*.example.com`."""

    enabled: bool = True
    allow_private_network: bool = False
    allowed_hosts: tuple[str, ...] = ()
    denied_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Registration:
    """`mode`: open, approval, token or closed. `contact`: who decides about apps, in words for people."""

    mode: str = "open"
    contact: str = ""
    cimd: Cimd = Cimd()


@dataclass(frozen=True)
class Revocation:
    """What a client that revokes an access token ends with it, and an upstream that signs somebody out: all that began
    with their sign-ins there, or only what began in the session it names."""

    access_token_ends_session: bool = False
    upstream_logout_ends_all: bool = True


@dataclass(frozen=True)
class Sessions:
    """How many token sessions a person may have open, in all and with one client; 0 for no cap."""

    per_user: int = 0
    per_client: int = 0


@dataclass(frozen=True)
class Retention:
    """How long history is kept, in seconds; 0 for ever: the audit trail, and token sessions that have ended."""

    audit: int = 0
    sessions: int = 0


@dataclass(frozen=True)
class UpstreamSignIn:
    """How operators come into the console through an upstream.

    `groups_claim` is a claim's name, else a dotted path; `roles` says which groups in it give which role
    (`security_administrator`). `second_factor` are the claims by which the upstream says that it asked for one, each with the
    values that say so; empty: the console asks for its own.
    """

    upstream: str
    groups_claim: str
    roles: Mapping[str, tuple[str, ...]]
    second_factor: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Console:
    """The operators' console. `sign_in`: through an upstream; None for not at all."""

    sign_in: UpstreamSignIn | None = None


@dataclass(frozen=True)
class CurrentPolicy:
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    registration: Registration = field(default_factory=Registration)
    revocation: Revocation = field(default_factory=Revocation)
    sessions: Sessions = field(default_factory=Sessions)
    retention: Retention = field(default_factory=Retention)
    console: Console = field(default_factory=Console)


_lock = Lock()
_cached: tuple[float, CurrentPolicy] | None = None


def current() -> CurrentPolicy:
    """The policy in force, no older than `MAX_AGE_SECONDS`."""
    global _cached  # noqa: PLW0603 - the process's one copy
    cached = _cached
    if cached is not None and time.monotonic() - cached[0] < MAX_AGE_SECONDS:
        return cached[1]
    with _lock:
        row = Policy.objects.filter(pk=1).first()
        fresh = from_row(row) if row else CurrentPolicy()
        _cached = (time.monotonic(), fresh)
        return fresh


def forget() -> None:
    """Read again next time: called after a change, so that the process that made it sees it at once."""
    global _cached  # noqa: PLW0603 - as above
    _cached = None


def from_row(row: Policy) -> CurrentPolicy:
    """The typed policy of a stored row, whose sections hold only what differs from the defaults."""
    registration = dict(row.registration)
    cimd = dict(registration.get("cimd", {}))
    for hosts in ("allowed_hosts", "denied_hosts"):
        if hosts in cimd:
            cimd[hosts] = tuple(cimd[hosts])
    return CurrentPolicy(
        lifetimes=replace(Lifetimes(), **row.lifetimes),
        registration=replace(Registration(), **{**registration, "cimd": replace(Cimd(), **cimd)}),
        revocation=replace(Revocation(), **row.revocation),
        sessions=replace(Sessions(), **row.sessions),
        retention=replace(Retention(), **row.retention),
        console=Console(**{name: _sign_in(section) for name, section in row.console.items()}),
    )


def _sign_in(section: dict[str, Any]) -> UpstreamSignIn:
    lists = {
        name: {key: tuple(values) for key, values in section.get(name, {}).items()}
        for name in ("roles", "second_factor")
    }
    return UpstreamSignIn(**{**section, **lists})
