"""What a configuration file says, typed: one frozen class an entry, values already in the shape the tables keep.

`line` is where the entry starts, `key` its path (`upstreams[0]`); both are for messages about it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from authserver.app_identity import Identity


@dataclass(frozen=True)
class Entry:
    line: int
    key: str


@dataclass(frozen=True)
class Secret:
    """A secret that a file refers to, resolved. `source` is `env:NAME`, `file:PATH` or `value`."""

    value: str = field(repr=False)
    source: str


@dataclass(frozen=True)
class Upstream(Entry):
    """`values` are the fields of `upstream.models.Provider` besides name and secret."""

    name: str
    values: dict[str, Any]
    secret: Secret | None


@dataclass(frozen=True)
class NeededUpstream(Entry):
    """An upstream that a resource names, with the scopes its server needs there."""

    name: str
    scopes: tuple[str, ...]
    required: bool


@dataclass(frozen=True)
class Resource(Entry):
    """`values` are the fields of `authserver.models.Resource` besides the identifier and its canonical form."""

    identifier: str
    canonical: str
    values: dict[str, Any]
    upstreams: tuple[NeededUpstream, ...]


@dataclass(frozen=True)
class ResourceServer(Entry):
    """`resources` are canonical identifiers."""

    client_id: str
    name: str
    resources: tuple[str, ...]
    secret: Secret | None


@dataclass(frozen=True)
class Client(Entry):
    """A static OAuth client. `values` are the fields of `authserver.models.Client` besides id and secret."""

    client_id: str
    values: dict[str, Any]
    secret: Secret | None


@dataclass(frozen=True)
class App(Entry):
    """A decision about an app. `values` are the fields of `authserver.models.App` that an operator decides."""

    identity: Identity | None
    values: dict[str, Any]


@dataclass(frozen=True)
class Console(Entry):
    """`values` as `authserver.policy.Console` is kept; `upstream` is the one that it names, if any."""

    values: dict[str, Any]
    upstream: str


@dataclass(frozen=True)
class Configuration:
    """The whole file. A section that is not there is None."""

    upstreams: tuple[Upstream, ...] | None
    resources: tuple[Resource, ...] | None
    resource_servers: tuple[ResourceServer, ...] | None
    clients: tuple[Client, ...] | None
    apps: tuple[App, ...] | None
    lifetimes: dict[str, int] | None
    registration: dict[str, Any] | None
    revocation: dict[str, bool] | None
    sessions: dict[str, int] | None
    retention: dict[str, int] | None
    console: Console | None
