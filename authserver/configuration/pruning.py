"""Rows that a file does not name: mentioned, or with `--prune` removed, together with what hangs on them.

Self-registered clients are nobody's entries and stay. An upstream that people are connected with is disabled rather than
deleted: a later one of the same name must not inherit their identities.
"""

from __future__ import annotations

from dataclasses import fields

from django.db.models import QuerySet

from authserver import cascade
from authserver.configuration.entries import Configuration
from authserver.configuration.steps import Report
from authserver.models import Client, Policy, Resource, ResourceServer
from authserver.policy import CurrentPolicy
from upstream import identities
from upstream.models import Provider

REASON = "configuration"


def mention(configuration: Configuration, report: Report) -> None:
    """Say what would go with `--prune`."""
    for kind, names in (
        ("upstream", (row.name for row in _upstreams(configuration) if row.enabled)),
        ("resource", (row.identifier for row in _resources(configuration))),
        ("resource server", (row.client_id for row in _resource_servers(configuration))),
        ("client", (row.client_id for row in _clients(configuration))),
        ("policy", _policy_sections(configuration)),
    ):
        report.notes.extend(f"{kind} {name} is not in the file; kept (--prune removes it)" for name in names)


def prune(configuration: Configuration, report: Report, *, actor: str, dry_run: bool) -> None:
    """Remove them. A dry run leaves token sessions alone: they may live outside the transaction that it rolls back."""
    for client in _clients(configuration):
        if not dry_run:
            cascade.revoke_client(client, reason=REASON, actor=actor)
        client.delete()
        report.removed("client", client.client_id)
    for server in _resource_servers(configuration):
        server.delete()
        report.removed("resource server", server.client_id)
    for resource in _resources(configuration):
        if not dry_run:
            cascade.revoke_resource(resource, reason=REASON, actor=actor)
        resource.delete()
        report.removed("resource", resource.identifier)
    for provider in _upstreams(configuration):
        _remove_upstream(provider, report)
    if sections := _policy_sections(configuration):
        Policy.objects.filter(pk=1).update(**{section: {} for section in sections})
        report.changed("policy", "back to the defaults", sections)


def _remove_upstream(provider: Provider, report: Report) -> None:
    if not identities.any_known(provider.name):
        provider.delete()
        report.removed("upstream", provider.name)
    elif provider.enabled:
        provider.enabled = False
        provider.save(update_fields=["enabled", "updated_at"])
        report.changed("upstream", provider.name, ["disabled, not deleted: people are connected with it"])


def _upstreams(configuration: Configuration) -> QuerySet[Provider]:
    return Provider.objects.exclude(name__in=[entry.name for entry in configuration.upstreams or ()])


def _resources(configuration: Configuration) -> QuerySet[Resource]:
    return Resource.objects.exclude(canonical__in=[entry.canonical for entry in configuration.resources or ()])


def _resource_servers(configuration: Configuration) -> QuerySet[ResourceServer]:
    return ResourceServer.objects.exclude(
        client_id__in=[entry.client_id for entry in configuration.resource_servers or ()]
    )


def _clients(configuration: Configuration) -> QuerySet[Client]:
    static: QuerySet[Client] = Client.objects.filter(registration_source=Client.RegistrationSource.MANUAL)
    return static.exclude(client_id__in=[entry.client_id for entry in configuration.clients or ()])


def _policy_sections(configuration: Configuration) -> list[str]:
    """Sections that the file leaves out and the database has."""
    row = Policy.objects.filter(pk=1).first()
    missing = [field.name for field in fields(CurrentPolicy) if getattr(configuration, field.name) is None]
    return [name for name in missing if row and getattr(row, name)]
