"""Who may register itself: the operator's `registration.mode`.

`open`: everybody. `approval`: everybody, disabled until an operator enables the client. `token`: whoever has an initial
access token; none has been handed out, so nobody. `closed`: nobody, and a registered client may no longer change what
it registered (it may still read and remove it).
"""

from __future__ import annotations

from datetime import datetime

from authserver import client_registry, policy
from authserver.errors import OAuthError
from authserver.models import Client


def admit() -> None:
    """Raise `OAuthError` where nobody may register (401 for `token`, 403 for `closed`)."""
    mode = policy.current().registration.mode
    if mode == "token":
        raise OAuthError(
            "invalid_token",
            "Registration here needs an initial access token (RFC 7591 section 3); ask the operator.",
            status=401,
            detail="registration needs a token",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    if mode not in {"open", "approval"}:
        raise OAuthError(
            "access_denied",
            "Clients cannot register themselves here; ask the operator for a client_id.",
            status=403,
            detail=f"registration is {mode}",
        )


def admit_change() -> None:
    """Raise `OAuthError` 403 where a registered client may not change what it registered."""
    mode = policy.current().registration.mode
    if mode not in {"open", "approval", "token"}:
        raise OAuthError(
            "access_denied", "Registrations cannot be changed here.", status=403, detail=f"registration is {mode}"
        )


def disabled_at(now: datetime) -> datetime | None:
    """What a client that registers starts with in `Client.disabled_at`."""
    return now if policy.current().registration.mode == "approval" else None


def hold(client: Client, now: datetime) -> None:
    """A client that became another one waits for approval again, where approval is needed."""
    if disabled_at(now) is not None:
        client_registry.disable(client, now)
