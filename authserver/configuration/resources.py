"""The section `resources`: the MCP servers we issue tokens for."""

from __future__ import annotations

from typing import Any

from authserver import resources
from authserver.admission import MODES
from authserver.configuration import shapes, upstreams
from authserver.configuration.entries import NeededUpstream, Resource
from authserver.configuration.reading import Fields
from authserver.configuration.tree import Table
from authserver.policy import MAX_ACCESS_TOKEN_SECONDS
from authserver.scopes import IDENTITY_SCOPES

CLAIMS = ("email", "name")
ALLOW = {"email_domains": shapes.domain, "emails": shapes.email, "groups": None}
ACCESS_TOKEN_SECONDS = (60, MAX_ACCESS_TOKEN_SECONDS)


def identifier(text: str) -> str | None:
    try:
        resources.canonical(text)
    except resources.InvalidIdentifier as invalid:
        return f"{invalid}; write an absolute https URL without fragment (http on loopback only)"
    return None


def read(entry: Fields) -> Resource:
    """One entry."""
    text = entry.text("identifier", required=True, longest=2048, check=identifier)
    resource = Resource(
        line=entry.line,
        key=entry.key,
        identifier=text,
        canonical=resources.canonical(text) if text else "",
        values=values(entry),
        upstreams=_upstreams(entry),
    )
    entry.done()
    return resource


def values(entry: Fields) -> dict[str, Any]:
    """What `Resource` keeps of an entry besides the identifier; what it does not say is the default."""
    scopes = _scopes(entry)
    default_scopes = list(entry.texts("default_scopes", check=shapes.scope))
    for unknown in sorted(set(default_scopes) - scopes.keys() - IDENTITY_SCOPES.keys()):
        entry.problem("default_scopes", f"names '{unknown}', which is not among `scopes`", "add it there")
    least, most = ACCESS_TOKEN_SECONDS
    return {
        "name": entry.text("name", required=True),
        "scopes": scopes,
        "default_scopes": default_scopes,
        "default": entry.flag("default"),
        "access_token_lifetime_seconds": entry.seconds("access_token_lifetime", least=least, most=most),
        "allow": shapes.allow(entry, ALLOW),
        "claims": list(entry.texts("claims", check=_claim)),
        "registration_mode": _registration_mode(entry),
    }


def _registration_mode(entry: Fields) -> str:
    """`registration: {mode: …}`, as the server's own section has it; nothing where that one counts."""
    fields = entry.fields("registration")
    if fields is None:
        return ""
    mode = fields.text("mode", required=True, choices=MODES)
    fields.done()
    return mode


def _scopes(entry: Fields) -> dict[str, str]:
    """A list of names, or a mapping of name to words; a name without words speaks for itself."""
    if isinstance(entry.table.entries.get("scopes"), Table):
        fields = entry.fields("scopes")
        scopes = {name: fields.text(name) for name in fields.names()} if fields else {}
        for name in scopes:
            if fields and (wrong := shapes.scope(name)):
                fields.problem(name, *wrong.split("; ", 1))
    else:
        scopes = {name: name for name in entry.texts("scopes", check=shapes.scope)}
    for reserved in scopes.keys() & IDENTITY_SCOPES.keys():
        entry.problem("scopes", f"names '{reserved}', which every resource has", "remove it")
    return scopes


def _upstreams(entry: Fields) -> tuple[NeededUpstream, ...]:
    needed: list[NeededUpstream] = []
    for fields in entry.each("upstreams"):
        upstream = NeededUpstream(
            line=fields.line,
            key=fields.key,
            name=fields.text("name", required=True, longest=32, check=upstreams.name),
            scopes=fields.texts("scopes", check=shapes.scope),
            required=fields.flag("required", default=True),
        )
        if upstream.name and upstream.name in [other.name for other in needed]:
            fields.problem("name", f"'{upstream.name}' stands there twice", "keep one, with all its scopes")
        fields.done()
        needed.append(upstream)
    return tuple(needed)


def _claim(text: str) -> str | None:
    return None if text in CLAIMS else f"'{text}' is not a claim we send; choose from: {', '.join(CLAIMS)}"
