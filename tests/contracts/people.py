"""Who and what the vault's contracts speak of."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.models import User
from accounts.vault.base import Approved, CredentialState, NewSession, TokenSet, TokenVault

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RESOURCE = "https://mcp.example/mcp"
_numbers = itertools.count(1)


def person() -> User:
    return User.objects.create(username=f"person-{next(_numbers)}")


def tokens(name: str = "first", **others: Any) -> TokenSet:
    """A complete token set whose every token says `name`."""
    values = {
        "access_token": f"access-{name}",
        "refresh_token": f"refresh-{name}",
        "id_token": f"id-{name}",
        "scopes": ("repo", "read:user"),
        "expires_at": NOW + HOUR,
        **others,
    }
    return TokenSet(**values)


def kept(vault: TokenVault, user: User, provider: str = "github", **others: Any) -> CredentialState:
    """What a first sign-in of `user` at `provider` leaves in the vault."""
    return vault.credentials.keep(user.pk, provider, f"subject-of-{user.pk}", tokens(**others), now=NOW)


def new_session(user: User, *credentials: CredentialState, **others: Any) -> NewSession:
    """An approval for a week, idle after a day, that may use `credentials` for `repo`."""
    values = {
        "user_id": user.pk,
        "client_id": "https://client.example/metadata",
        "redirect_host": "client.example",
        "resource": RESOURCE,
        "scopes": ("mcp:tools", "mcp:read"),
        "idle_expires_at": NOW + DAY,
        "expires_at": NOW + 7 * DAY,
        "approved": tuple(Approved(credential.id, credential.provider, ("repo",)) for credential in credentials),
        **others,
    }
    return NewSession(**values)


def opened(vault: TokenVault, user: User, *credentials: CredentialState, **others: Any) -> str:
    """The tsid of such a session."""
    return vault.sessions.open(new_session(user, *credentials, **others), now=NOW)
