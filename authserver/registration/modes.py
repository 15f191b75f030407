"""Who may register itself: the operator's `registration.mode`.

`open`: everybody. `approval`: everybody, and an app that no operator has approved waits when somebody wants to use it; an
initial access token is that word given ahead. `token`: whoever has an initial access token. `closed`: nobody, and a
registered client may no longer change what it registered (it may still read and remove it).

Whatever the mode, nobody registers as a blocked app, and nobody leaves one by changing what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from authserver import policy
from authserver.errors import OAuthError
from authserver.models import App, Client
from authserver.registration import initial_tokens


@dataclass(frozen=True)
class Admission:
    """Let in. `token_hash` is that of the initial access token that `spend` uses; empty where none is needed."""

    mode: str
    token_hash: str

    def spend(self, now: datetime) -> dict[str, str]:
        """What the audit trail says of the token that vouches for the client; nothing where none does.

        In the transaction that registers it: a registration that fails uses nothing up. Raises `OAuthError` 401 where
        others have used up the token since.
        """
        if not self.token_hash:
            return {}
        token = initial_tokens.spend(self.token_hash, now=now)
        if token is None:
            raise _token_needed(tried=True)
        return {"initial_access_token": str(token.pk)}


def admit(authorization: str, *, now: datetime) -> Admission:
    """Raise `OAuthError` where nobody may register (401 for `token`, 403 for `closed`)."""
    mode = policy.current().registration.mode
    if mode not in {"open", "approval", "token"}:
        raise OAuthError(
            "access_denied",
            "Clients cannot register themselves here; ask the operator for a client_id.",
            status=403,
            detail=f"registration is {mode}",
        )
    if mode == "open":
        return Admission(mode, "")
    token_hash = initial_tokens.presented(authorization)
    good = initial_tokens.is_good(token_hash, now=now)
    if mode == "token" and not good:
        raise _token_needed(tried=bool(authorization))
    return Admission(mode, token_hash if good else "")


def _token_needed(*, tried: bool) -> OAuthError:
    """RFC 6750 section 3.1: the challenge names no error where no token was sent."""
    return OAuthError(
        "invalid_token",
        "Registration here needs an initial access token (RFC 7591 section 3); ask the operator.",
        status=401,
        detail="no good initial access token",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"' if tried else "Bearer"},
    )


def admit_change(client: Client) -> None:
    """Raise `OAuthError` 403 where a registered client may not change what it registered."""
    refuse_blocked(client.app)
    mode = policy.current().registration.mode
    if mode not in {"open", "approval", "token"}:
        raise OAuthError(
            "access_denied", "Registrations cannot be changed here.", status=403, detail=f"registration is {mode}"
        )


def refuse_blocked(app: App) -> None:
    """Raise `OAuthError` 403 for an app that an operator has blocked."""
    if app.is_blocked:
        words = "This app is blocked on this server; its operator can say why."
        raise OAuthError("access_denied", words, status=403, detail=f"app {app.pk} is blocked")
