"""Which upstream leads into the console, by the policy in force; and whether a password does.

Asked at every step of a sign-in and at every page of whoever came in so: what the operator of the server takes away is
gone at once, for those who are in, too.
"""

from __future__ import annotations

from django.conf import settings

from accounts.models import User
from authserver import policy
from authserver.policy import UpstreamSignIn
from upstream import providers
from upstream.models import Provider


def sign_in() -> UpstreamSignIn | None:
    return policy.current().console.sign_in


def provider() -> Provider | None:
    """The upstream to offer; None where there is none, or it is disabled."""
    chosen = sign_in()
    return None if chosen is None else providers.by_name(chosen.upstream)


def leads_in(upstream: str) -> bool:
    """Whether this upstream is the one."""
    found = provider()
    return found is not None and found.name == upstream


def asks_for_second_factor(upstream: str | None) -> bool:
    """Whether its word counts for a second factor."""
    chosen = sign_in()
    return chosen is not None and chosen.upstream == upstream and bool(chosen.second_factor)


def takes_passwords() -> bool:
    return bool(settings.ADMIN_PASSWORD_SIGN_IN)


def takes_password_of(user: User) -> bool:
    """Whoever is an operator by an upstream's groups comes in through that: a password would outlive the groups."""
    return takes_passwords() and not user.staff_from_upstream
