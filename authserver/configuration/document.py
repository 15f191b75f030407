"""The whole file: every section read, then what one entry says of another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from authserver.configuration import apps, callers, console, policy, resources, upstreams
from authserver.configuration.entries import Client, Configuration, Entry, Resource, ResourceServer
from authserver.configuration.problems import Problems, Refused
from authserver.configuration.reading import Fields, guess
from authserver.configuration.tree import load

E = TypeVar("E", bound=Entry)


def read(file: Path, problems: Problems) -> Configuration:
    """What the file says, its secrets resolved. Raises `Refused` where there is nothing to go on with."""
    table = load(file, problems)
    if table is None:
        raise Refused(file.name, problems.found)
    top = Fields(table, "", problems)
    directory = file.resolve().parent
    configuration = Configuration(
        upstreams=_section(top, "upstreams", lambda entry: upstreams.read(entry, directory)),
        resources=_section(top, "resources", resources.read),
        resource_servers=_section(
            top, "resource_servers", lambda entry: callers.read_resource_server(entry, directory)
        ),
        clients=_section(top, "clients", lambda entry: callers.read_client(entry, directory)),
        apps=_section(top, "apps", apps.read),
        lifetimes=policy.lifetimes(fields) if (fields := top.fields("lifetimes")) else None,
        registration=policy.registration(fields) if (fields := top.fields("registration")) else None,
        revocation=policy.revocation(fields) if (fields := top.fields("revocation")) else None,
        sessions=policy.sessions(fields) if (fields := top.fields("sessions")) else None,
        retention=policy.retention(fields) if (fields := top.fields("retention")) else None,
        console=console.read(fields) if (fields := top.fields("console")) else None,
    )
    top.done()
    _compare(configuration, problems)
    return configuration


def _section(top: Fields, name: str, read_one: Callable[[Fields], E]) -> tuple[E, ...] | None:
    """A section's entries; None where the file does not speak of it."""
    if not top.has(name):
        top.node(name)
        return None
    return tuple(read_one(entry) for entry in top.each(name))


def _compare(configuration: Configuration, problems: Problems) -> None:
    _unique(((entry.name, "name", entry) for entry in configuration.upstreams or ()), problems)
    _unique(((entry.canonical, "identifier", entry) for entry in configuration.resources or ()), problems)
    both: tuple[ResourceServer | Client, ...] = (
        *(configuration.resource_servers or ()),
        *(configuration.clients or ()),
    )
    _unique(((entry.client_id, "client_id", entry) for entry in both), problems)
    _one_default(configuration.resources or (), problems)
    _unique_apps(configuration, problems)


def _unique(named: Iterable[tuple[str, str, Entry]], problems: Problems) -> None:
    """Resource servers and clients share one name space: both authenticate at the token endpoint."""
    seen: dict[str, Entry] = {}
    for value, key, entry in named:
        if value and value in seen:
            wrong = f"'{value}' stands there twice (first in line {seen[value].line})"
            problems.add(entry.line, f"{entry.key}.{key}", wrong, "keep one, or rename one")
        seen.setdefault(value, entry)


def _one_default(entries: Iterable[Resource], problems: Problems) -> None:
    defaults = [entry for entry in entries if entry.values["default"]]
    for entry in defaults[1:]:
        first = defaults[0].line
        problems.add(entry.line, f"{entry.key}.default", f"is a second default (first in line {first})", "keep one")


def _unique_apps(configuration: Configuration, problems: Problems) -> None:
    """Two entries that are one app, however they are written."""
    seen: dict[str, int] = {}
    for entry in configuration.apps or ():
        key = entry.identity.key if entry.identity else ""
        if key in seen:
            problems.add(entry.line, entry.key, f"is the app that line {seen[key]} names", "keep one")
        elif key:
            seen[key] = entry.line


def check_references(
    configuration: Configuration, known_upstreams: set[str], known_resources: set[str], problems: Problems
) -> None:
    """Names that entries give each other exist, in the file or (`known_*`) in the database already."""
    names = known_upstreams | {entry.name for entry in configuration.upstreams or () if entry.name}
    for resource in configuration.resources or ():
        for upstream in resource.upstreams:
            if upstream.name and upstream.name not in names:
                wrong = f"'{upstream.name}' is not an upstream"
                problems.add(
                    upstream.line, f"{upstream.key}.name", wrong, guess(upstream.name, names) if names else "add it"
                )
    if (section := configuration.console) and section.upstream and section.upstream not in names:
        wrong = f"'{section.upstream}' is not an upstream"
        remedy = guess(section.upstream, names) if names else "add it to `upstreams`"
        problems.add(section.line, "console.sign_in.upstream", wrong, remedy)
    identifiers = known_resources | {entry.canonical for entry in configuration.resources or () if entry.canonical}
    for server in configuration.resource_servers or ():
        for identifier in server.resources:
            if identifier not in identifiers:
                wrong = f"'{identifier}' is not a resource"
                remedy = guess(identifier, identifiers) if identifiers else "add it to `resources`"
                problems.add(server.line, f"{server.key}.resources", wrong, remedy)
