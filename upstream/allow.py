"""Who may use a provider: the row's `allow`.

    allow:
      email_domains: [example.com]     # a verified address in exactly this domain
      emails: [ada@example.com]        # a verified address, case ignored
      subjects: ["12345"]              # the provider's own identifier
      claims: {hd: example.com, groups: [staff, admins]}

Where any of the three lists has entries, the person must match at least one entry of any of them. Every claim listed
must match as well: the claim, or one member of a claim that is a list, equals one of the allowed values. Nothing
listed: everybody. What cannot be understood lets nobody in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from upstream.identity import Identity, at

LISTS = ("email_domains", "emails", "subjects")


def permits(allow: Any, person: Identity) -> bool:
    """Whether the rules let this person in."""
    if not isinstance(allow, Mapping) or set(allow) - {*LISTS, "claims"}:
        return False
    lists = {name: allow.get(name) or [] for name in LISTS}
    claims = allow.get("claims") or {}
    if not all(isinstance(entries, list) for entries in lists.values()) or not isinstance(claims, Mapping):
        return False
    if any(lists.values()) and not _listed(lists, person):
        return False
    return all(_claim_matches(at(person.claims, name), wanted) for name, wanted in claims.items())


def _listed(lists: Mapping[str, list[Any]], person: Identity) -> bool:
    address = person.email.lower()
    domain = address.rpartition("@")[2]
    return (
        person.subject in lists["subjects"]
        or (bool(address) and address in _lowered(lists["emails"]))
        or (bool(domain) and domain in _lowered(lists["email_domains"]))
    )


def _lowered(entries: list[Any]) -> set[str]:
    return {entry.lower() for entry in entries if isinstance(entry, str)}


def _claim_matches(value: Any, wanted: Any) -> bool:
    """Equality with type: `1` is not `true`, and `"1"` is neither."""
    have = value if isinstance(value, list) else [value]
    allowed = wanted if isinstance(wanted, list) else [wanted]
    return any(type(one) is type(other) and one == other for one in have if one is not None for other in allowed)
