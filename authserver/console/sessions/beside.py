"""What sessions are read together with: registry, resources, upstreams. As many statements for a page as for one row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from accounts.models import Link, TokenSession
from authserver.console.sessions.standing import Need, Standing, of_link
from authserver.models import App, Client, Resource
from upstream.models import Provider

MANY = 500


@dataclass(frozen=True)
class KnownResource:
    """A resource as it is configured now; `upstreams` by the provider's name."""

    pk: int
    identifier: str
    name: str
    scopes: Mapping[str, str]
    upstreams: dict[str, Need] = field(default_factory=dict)


@dataclass(frozen=True)
class Configured:
    """Resources by identifier and providers by name, as they are now: what sessions name may be gone."""

    resources: Mapping[str, KnownResource]
    providers: Mapping[str, Provider]

    def title(self, provider: str) -> str:
        known = self.providers.get(provider)
        return known.title if known else provider

    def needs(self, resource: str) -> Mapping[str, Need]:
        known = self.resources.get(resource)
        return known.upstreams if known else {}


def configured() -> Configured:
    """Two statements."""
    resources: dict[str, KnownResource] = {}
    rows = Resource.objects.order_by("name", "identifier", "upstreams__position", "upstreams__id").values_list(
        "pk", "identifier", "name", "scopes", "upstreams__provider__name", "upstreams__scopes", "upstreams__required"
    )
    for pk, identifier, name, scopes, provider, needed, required in rows:
        resource = resources.setdefault(identifier, KnownResource(pk, identifier, name, scopes))
        if provider is not None:
            resource.upstreams[provider] = Need(tuple(needed or ()), bool(required))
    columns = ("name", "display_name", "type", "enabled", "on_session_end")
    return Configured(resources, {one.name: one for one in Provider.objects.only(*columns).order_by("name")})


@dataclass(frozen=True)
class Upstream:
    """One upstream of a session. `missing` are scopes that the resource's server needs and would not get. Without a `link`
    the session has no credential there."""

    name: str
    title: str
    standing: Standing
    required: bool
    missing: Sequence[str] = ()
    link: Link | None = None


@dataclass(frozen=True)
class Beside:
    """Of the sessions of one page: their clients with the app, and their upstreams by tsid."""

    known: Configured
    clients: Mapping[str, Client]
    upstreams: Mapping[str, Sequence[Upstream]]


def app_of(client: Client) -> App:
    """As the registry lists it: what is merged into another app is that one."""
    app: App = client.app.merged_into or client.app
    return app


def beside(sessions: Collection[TokenSession], known: Configured, *, now: datetime) -> Beside:
    """Two statements. A session that has ended has no upstreams any more."""
    ids = {session.client_id for session in sessions}
    clients = Client.objects.filter(client_id__in=ids).select_related("app", "app__merged_into").defer("metadata")
    links: dict[str, list[Link]] = {}
    rows = Link.objects.filter(session__in=[session.tsid for session in sessions if session.closed_at is None])
    for link in rows.select_related("credential").defer("credential__sealed_tokens").order_by("id"):
        links.setdefault(link.session_id, []).append(link)
    return Beside(
        known,
        {client.client_id: client for client in clients},
        {one.tsid: upstreams(one, links.get(one.tsid, ()), known, now=now) for one in sessions if not one.closed_at},
    )


def upstreams(session: TokenSession, links: Collection[Link], known: Configured, *, now: datetime) -> list[Upstream]:
    """Those that the resource names in their order, connected or not; then those that it names no longer."""
    needs, linked = known.needs(session.resource), {link.provider: link for link in links}
    found = []
    for name in dict.fromkeys([*needs, *linked]):
        need, link = needs.get(name, Need()), linked.get(name)
        standing, missing = of_link(link, need, now=now)
        found.append(Upstream(name, known.title(name), standing, need.required, missing, link))
    return found
