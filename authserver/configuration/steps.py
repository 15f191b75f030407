"""One step a section: make the rows match the entries, and say line by line what changed.

What a file does not speak of is left to the console: `enabled`, `disabled_at` and `verified` are never touched here, so
that a restart does not undo an operator's emergency switch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.hashers import check_password
from django.db.models import Model

from accounts.vault.base import Damaged
from authserver.configuration.entries import (
    Client,
    Configuration,
    Console,
    Resource,
    ResourceServer,
    Secret,
    Upstream,
)
from authserver.configuration.problems import Problems
from authserver.hashers import hash_secret, new_secret
from authserver.models import Client as ClientRow
from authserver.models import Policy, ResourceUpstream
from authserver.models import Resource as ResourceRow
from authserver.models import ResourceServer as ResourceServerRow
from upstream import identities, presets, providers
from upstream.models import Provider

# Where a table says it differently from the file.
_FILE_NAMES = {
    "access_token_lifetime_seconds": "access_token_lifetime",
    "allowed_scopes": "scopes",
    "registration_mode": "registration",
}


@dataclass
class Report:
    """`changes` as printed and audited, `notes` for the operator's eyes. Neither ever holds a value."""

    changes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def changed(self, kind: str, name: str, fields: list[str]) -> None:
        """`~ resource https://…: scopes, default`; nothing where nothing changed."""
        if fields:
            self.changes.append(f"~ {kind} {name}: {', '.join(_FILE_NAMES.get(field, field) for field in fields)}")

    def added(self, kind: str, name: str) -> None:
        self.changes.append(f"+ {kind} {name}")

    def removed(self, kind: str, name: str) -> None:
        self.changes.append(f"- {kind} {name}")


def set_differing(row: Model, values: Mapping[str, Any]) -> list[str]:
    """Set what differs; the names of it."""
    differing = [name for name, value in values.items() if getattr(row, name) != value]
    for name in differing:
        setattr(row, name, values[name])
    return differing


def upstreams(configuration: Configuration, report: Report, problems: Problems) -> None:
    rows = {row.name: row for row in Provider.objects.all()}
    for entry in configuration.upstreams or ():
        _note_inline(entry.secret, f"upstream {entry.name}", report)
        row = rows.get(entry.name)
        if row is None:
            row = Provider(name=entry.name, **entry.values)
            if entry.secret:
                providers.set_client_secret(row, entry.secret.value, entry.secret.source)
            row.save()
            report.added("upstream", entry.name)
        else:
            _update_upstream(row, entry, report, problems)


def _update_upstream(row: Provider, entry: Upstream, report: Report, problems: Problems) -> None:
    if moved := identities.moved(row, entry.values):
        problems.add(
            entry.line,
            f"{entry.key}.{moved}",
            f"changes whom '{entry.name}' means, and people are connected with it",
            "give the new one another name",
        )
        return
    differing = set_differing(row, entry.values)
    if _differs(row, entry.secret):
        secret = entry.secret or Secret("", "")
        providers.set_client_secret(row, secret.value, secret.source)
        differing.append("client_secret")
    if differing:
        row.save(update_fields=[*_columns(differing), "updated_at"])
        report.changed("upstream", entry.name, differing)
    if not row.enabled:
        report.notes.append(f"upstream {entry.name} is disabled (the console enables it)")


def _columns(names: list[str]) -> list[str]:
    columns = [name for name in names if name != "client_secret"]
    return [*columns, *providers.SECRET_COLUMNS] if "client_secret" in names else columns


def _differs(row: Provider, secret: Secret | None) -> bool:
    """Whether the row holds another secret, or one from elsewhere; one that does not open has to be sealed again."""
    given = secret or Secret("", "")
    try:
        return row.client_secret_source != given.source or providers.client_secret(row) != given.value
    except Damaged:
        return True


def resources(configuration: Configuration, report: Report) -> None:
    rows = {row.canonical: row for row in ResourceRow.objects.all()}
    for entry in configuration.resources or ():
        row = rows.get(entry.canonical)
        if row is None:
            row = ResourceRow.objects.create(identifier=entry.identifier, canonical=entry.canonical, **entry.values)
            _set_needed(row, entry)
            report.added("resource", entry.identifier)
            continue
        differing = set_differing(row, {"identifier": entry.identifier, **entry.values})
        if differing:
            row.save(update_fields=differing)
        if _set_needed(row, entry):
            differing.append("upstreams")
        report.changed("resource", entry.identifier, differing)
        if not row.enabled:
            report.notes.append(f"resource {entry.identifier} is disabled (the console enables it)")
    _one_default(configuration, report)


def _set_needed(row: ResourceRow, entry: Resource) -> bool:
    """Make the resource's upstreams those of the entry, in its order; True where they were not."""
    wanted = [(needed.name, list(needed.scopes), needed.required) for needed in entry.upstreams]
    current = [
        (needed.provider.name, needed.scopes, needed.required) for needed in row.upstreams.select_related("provider")
    ]
    if current == wanted:
        return False
    row.upstreams.all().delete()
    by_name = {
        provider.name: provider for provider in Provider.objects.filter(name__in=[name for name, _, _ in wanted])
    }
    ResourceUpstream.objects.bulk_create(
        ResourceUpstream(resource=row, provider=by_name[name], scopes=scopes, required=required, position=position)
        for position, (name, scopes, required) in enumerate(wanted)
    )
    return True


def _one_default(configuration: Configuration, report: Report) -> None:
    """A default in the file ends one that the database still has from elsewhere."""
    chosen = [entry for entry in configuration.resources or () if entry.values["default"]]
    if not chosen:
        return
    for row in ResourceRow.objects.filter(default=True).exclude(canonical=chosen[0].canonical):
        row.default = False
        row.save(update_fields=["default"])
        report.changed("resource", row.identifier, ["default"])


def resource_servers(configuration: Configuration, report: Report) -> None:
    rows = {row.client_id: row for row in ResourceServerRow.objects.all()}
    known = {row.canonical: row for row in ResourceRow.objects.all()}
    for entry in configuration.resource_servers or ():
        _note_inline(entry.secret, f"resource server {entry.client_id}", report)
        row = rows.get(entry.client_id)
        wanted = {known[identifier].pk for identifier in entry.resources}
        if row is None:
            row = ResourceServerRow.objects.create(
                client_id=entry.client_id, name=entry.name, client_secret=hashed(entry.secret)
            )
            row.resources.set(wanted)
            report.added("resource server", entry.client_id)
            continue
        _update_resource_server(row, entry, wanted, report)


def _update_resource_server(row: ResourceServerRow, entry: ResourceServer, wanted: set[int], report: Report) -> None:
    differing = set_differing(row, {"name": entry.name})
    if not _is_stored(entry.secret, row.client_secret):
        row.client_secret = hashed(entry.secret)
        differing.append("client_secret")
    if differing:
        row.save(update_fields=differing)
    if {resource.pk for resource in row.resources.all()} != wanted:
        row.resources.set(wanted)
        differing.append("resources")
    report.changed("resource server", entry.client_id, differing)
    if not row.enabled:
        report.notes.append(f"resource server {entry.client_id} is disabled (the console enables it)")


def clients(configuration: Configuration, report: Report, problems: Problems) -> None:
    named = [entry.client_id for entry in configuration.clients or ()]
    rows = {row.client_id: row for row in ClientRow.objects.filter(client_id__in=named)}
    for entry in configuration.clients or ():
        _note_inline(entry.secret, f"client {entry.client_id}", report)
        row = rows.get(entry.client_id)
        if row is None:
            ClientRow.objects.create(
                client_id=entry.client_id,
                client_secret=hashed(entry.secret),
                **entry.values,
            )
            report.added("client", entry.client_id)
        elif row.registration_source != ClientRow.RegistrationSource.MANUAL:
            problems.add(
                entry.line, f"{entry.key}.client_id", "belongs to a client that registered itself", "choose another"
            )
        else:
            _update_client(row, entry, report)


def _update_client(row: ClientRow, entry: Client, report: Report) -> None:
    differing = set_differing(row, entry.values)
    if entry.secret and not _is_stored(entry.secret, row.client_secret):
        row.client_secret = hashed(entry.secret)
        differing.append("client_secret")
    elif not entry.secret and "token_endpoint_auth_method" in differing:
        row.client_secret = hashed(None)
    if differing:
        row.save(update_fields=list({*differing, "client_secret", "updated"}))
        report.changed("client", entry.client_id, differing)
    if row.disabled_at:
        report.notes.append(f"client {entry.client_id} is disabled (the console enables it)")


def policy(configuration: Configuration, report: Report, problems: Problems) -> None:
    console = configuration.console
    _check_second_factor(console, problems)
    sections: dict[str, dict[str, Any] | None] = {
        "lifetimes": configuration.lifetimes,
        "registration": configuration.registration,
        "revocation": configuration.revocation,
        "sessions": configuration.sessions,
        "retention": configuration.retention,
        "console": None if console is None else console.values,
    }
    row = Policy.objects.filter(pk=1).first() or Policy()
    for name, wanted in sections.items():
        current: dict[str, Any] = getattr(row, name)
        if wanted is None or wanted == current:
            continue
        setattr(row, name, wanted)
        row.save()
        report.changed(
            "policy", name, sorted(key for key in {*wanted, *current} if wanted.get(key) != current.get(key))
        )


def _check_second_factor(console: Console | None, problems: Problems) -> None:
    """Only a signed ID token says how somebody was asked."""
    if console is None or not console.values.get("sign_in", {}).get("second_factor"):
        return
    upstream = Provider.objects.filter(name=console.upstream).first()
    if upstream is not None and not presets.of(upstream).is_oidc:
        problems.add(
            console.line,
            "console.sign_in.second_factor",
            f"is what '{console.upstream}' cannot say: it is not OpenID Connect",
            "remove it, and the console asks for its own",
        )


def hashed(secret: Secret | None) -> str:
    """What is stored. For a public client a secret that nobody knows: an empty one would authenticate."""
    return hash_secret(secret.value if secret else new_secret())


def _is_stored(secret: Secret | None, stored: str) -> bool:
    return secret is not None and check_password(secret.value, stored)


def _note_inline(secret: Secret | None, what: str, report: Report) -> None:
    if secret and secret.source == "value":
        report.notes.append(f"the secret of {what} is written out in the file; {{env: …}} or {{file: …}} keeps it out")
