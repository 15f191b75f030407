"""Which roles an upstream's claims give, and what else they have to say: pure, and strict about types.

A claim of another shape than expected says nothing: a group is a whole member, a text, of a claim that is a list, letter
for letter. A text that contains a group's name, a mapping with such a key, another case are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from authserver.console.roles import Role
from authserver.policy import UpstreamSignIn
from upstream.backends.oidc import LEEWAY_SECONDS
from upstream.identity import at


def roles_of(claims: Mapping[str, Any], sign_in: UpstreamSignIn) -> frozenset[Role]:
    """Those of which a group stands in the claims; none for none."""
    groups = _texts(at(claims, sign_in.groups_claim))
    return frozenset(role for role in Role if groups & set(sign_in.roles.get(role.key, ())))


def says_second_factor(id_token: Mapping[str, Any], sign_in: UpstreamSignIn) -> bool:
    """Whether every claim that is to say so is there and says so: `amr` is a list (RFC 8176), `acr` a text."""
    wanted = sign_in.second_factor
    if not wanted:
        return False
    amr, acr = _texts(id_token.get("amr")), id_token.get("acr")
    given = {"amr": amr, "acr": frozenset({acr} if isinstance(acr, str) else ())}
    return all(given.get(claim, frozenset()) & set(values) for claim, values in wanted.items())


def signed_in_at(id_token: Mapping[str, Any]) -> float | None:
    """When the person was really asked there, in seconds; None where the upstream does not say. Not checked for age."""
    said = id_token.get("auth_time")
    return float(said) if isinstance(said, int | float) and not isinstance(said, bool) else None


def was_asked_since(id_token: Mapping[str, Any], begun_at: datetime) -> bool:
    """Whether they were asked after `begun_at` (OpenID Connect Core section 3.1.2.1, `max_age`), clocks apart."""
    moment = signed_in_at(id_token)
    return moment is not None and moment >= begun_at.timestamp() - LEEWAY_SECONDS


def _texts(value: Any) -> frozenset[str]:
    """The texts of a list; none of anything else."""
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()
