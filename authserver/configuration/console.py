"""The section `console`: how operators come in through an upstream, in the shape that `authserver.policy` reads."""

from __future__ import annotations

from typing import Any

from authserver.configuration.entries import Console
from authserver.configuration.reading import Fields
from authserver.configuration.upstreams import name
from authserver.console.roles import Role

ROLES = tuple(role.key for role in Role)
SECOND_FACTOR_CLAIMS = ("amr", "acr")  # RFC 8176; OpenID Connect Core section 2
MAX_CLAIM = 255


def read(section: Fields) -> Console:
    sign_in = section.fields("sign_in")
    section.done()
    values = {} if sign_in is None else {"sign_in": _sign_in(sign_in)}
    line = section.line if sign_in is None else sign_in.line
    return Console(line=line, key="console", values=values, upstream=values.get("sign_in", {}).get("upstream", ""))


def _sign_in(fields: Fields) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "upstream": fields.text("upstream", required=True, longest=32, check=name),
        "groups_claim": fields.text("groups_claim", required=True, longest=MAX_CLAIM),
        "roles": _roles(fields),
    }
    if fields.has("second_factor"):
        kept["second_factor"] = _second_factor(fields)
    fields.done()
    return kept


def _roles(entry: Fields) -> dict[str, list[str]]:
    fields = entry.fields("roles", required=True)
    if fields is None:
        return {}
    given = {role: list(fields.texts(role)) for role in ROLES}
    fields.done()
    seen: dict[str, str] = {}
    for role, groups in given.items():
        for group in groups:
            if group in seen:
                wrong = f"'{group}' is named for {seen[group]} as well"
                fields.problem(role, wrong, "keep the higher role, which may do what the lower may")
            seen.setdefault(group, role)
    if not seen:
        entry.problem("roles", "names no group, and nobody could come in", "write `roles: {operator: [a-group]}`")
    return {role: groups for role, groups in given.items() if groups}


def _second_factor(entry: Fields) -> dict[str, list[str]]:
    """Each claim with the values that say that a second factor was used."""
    fields = entry.fields("second_factor")
    if fields is None:
        return {}
    given = {claim: list(fields.texts(claim)) for claim in SECOND_FACTOR_CLAIMS}
    fields.done()
    if not any(given.values()):
        remedy = "write `second_factor: {amr: [mfa]}`, or remove it, and the console asks for its own"
        entry.problem("second_factor", "names no value of `amr` or `acr`", remedy)
    return {claim: values for claim, values in given.items() if values}
