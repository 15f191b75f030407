"""A token set as bytes and back, and what of an old one a new one keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

from accounts.vault.base import Damaged, TokenSet

TIMES = ("expires_at", "refresh_expires_at", "obtained_at")


def dump(tokens: TokenSet) -> bytes:
    """`tokens` as JSON in ASCII, to be sealed: whatever a token holds (NUL, half a surrogate pair) comes back exactly."""
    times = {name: getattr(tokens, name) for name in TIMES}
    return json.dumps(
        {
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "id_token": tokens.id_token,
            "token_type": tokens.token_type,
            "scopes": tokens.scopes,
            **{name: time.isoformat() if time else None for name, time in times.items()},
        },
        separators=(",", ":"),
    ).encode("ascii")


def load(plaintext: bytes) -> TokenSet:
    """What `dump` took. Raises `Damaged` for anything else: it was sealed, but not by this."""
    try:
        stored = json.loads(plaintext)
        times = {name: datetime.fromisoformat(stored[name]) if stored[name] else None for name in TIMES}
        return TokenSet(
            access_token=stored["access_token"],
            refresh_token=stored["refresh_token"],
            id_token=stored["id_token"],
            token_type=stored["token_type"],
            scopes=tuple(stored["scopes"]),
            **times,
        )
    except (ValueError, KeyError, TypeError):
        raise Damaged("what was sealed is not a token set") from None


def signed_in(new: TokenSet, old: TokenSet | None, *, old_is_dead: bool) -> TokenSet:
    """What is kept after a sign-in. A dead credential's refresh token is not: the provider has refused it."""
    if old is None:
        return new
    return _completed(new, replace(old, refresh_token=None) if old_is_dead else old)


def refreshed(new: TokenSet, old: TokenSet) -> TokenSet:
    """What is kept after a refresh. Omitted scopes are the ones before (RFC 6749 section 5.1)."""
    return replace(_completed(new, old), scopes=new.scopes or old.scopes)


def is_complete(new: TokenSet) -> bool:
    """Whether nothing of an old token set is needed to store this refresh response."""
    return bool(new.refresh_token and new.id_token and new.scopes)


def _completed(new: TokenSet, old: TokenSet) -> TokenSet:
    """An omitted refresh token keeps the old one with its end; an omitted ID token keeps the old one."""
    completed = replace(new, id_token=new.id_token or old.id_token)
    if not new.refresh_token:
        completed = replace(completed, refresh_token=old.refresh_token, refresh_expires_at=old.refresh_expires_at)
    return completed
