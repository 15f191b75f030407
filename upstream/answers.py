"""A token endpoint's answer, as it came over the wire, made into a `TokenSet` (RFC 6749 s5.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from accounts.vault.base import TokenSet
from upstream.errors import OutboundFailed
from upstream.github_scopes import with_included
from upstream.identity import at
from upstream.models import Provider
from upstream.providers import unique

MAX_LIFETIME_SECONDS = 10 * 365 * 86400
_GOOGLE_SCOPES = "https://www.googleapis.com/auth/userinfo."
_GRAPH_SCOPES = "https://graph.microsoft.com/"


def member(provider: Provider, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object that holds the person's token.

    The answer itself, or, where the row's `identity` names a `token` path or the provider answers as Slack does (its
    own token outside, the person's in `authed_user`), an object inside it.
    """
    paths = provider.identity.get("token") if isinstance(provider.identity, dict) else None
    for path in [paths] if isinstance(paths, str) else paths or []:
        inner = at(answer, path)
        if isinstance(inner, Mapping) and inner.get("access_token"):
            return inner
    inner = answer.get("authed_user")
    if isinstance(inner, Mapping) and inner.get("access_token"):
        return inner
    if "access_token" not in answer:
        nested = [value for value in answer.values() if isinstance(value, Mapping) and value.get("access_token")]
        if len(nested) == 1:
            return nested[0]
    return answer


def token_set(provider: Provider, answer: Mapping[str, Any], *, requested: Sequence[str], now: datetime) -> TokenSet:
    """The answer's tokens, exactly as given. An absent `scope` means what was requested.

    Raises `OutboundFailed("garbage")` where the answer is not one.
    """
    holder = member(provider, answer)
    access_token = _text(provider, holder, "access_token")
    if not access_token:
        raise OutboundFailed("garbage", provider=provider.name)
    refresh_token = _text(provider, holder, "refresh_token")
    id_token = _text(provider, holder, "id_token") or _text(provider, answer, "id_token")
    return TokenSet(
        access_token=access_token,
        refresh_token=refresh_token,
        id_token=id_token,
        token_type=_text(provider, holder, "token_type") or "Bearer",
        scopes=_scopes(provider, holder, requested, access_token, refresh_token, id_token),
        expires_at=_end(provider, holder.get("expires_in"), now),
        obtained_at=now,
        refresh_expires_at=_end(
            provider,
            # GitHub Apps; Keycloak, where 0 means never (-1 elsewhere).
            holder.get("refresh_token_expires_in") or holder.get("refresh_expires_in"),
            now,
            may_be_never=True,
        )
        if refresh_token
        else None,
    )


def _scopes(
    provider: Provider,
    holder: Mapping[str, Any],
    requested: Sequence[str],
    access_token: str,
    refresh_token: str | None,
    id_token: str | None,
) -> tuple[str, ...]:
    given = holder.get("scope", holder.get("scopes"))
    if isinstance(given, list) and all(isinstance(scope, str) for scope in given):
        granted = unique(given)
    elif isinstance(given, str):
        granted = unique([scope for scope in re.split(r"[,\s]+", given) if scope])
    elif given is None:
        granted = unique(requested)
    else:
        raise OutboundFailed("garbage", provider=provider.name)
    if provider.type == Provider.Type.GITHUB and not granted and access_token.startswith("ghu_"):
        return unique(requested)  # a GitHub App's token has permissions and no scopes
    if provider.type == Provider.Type.GITHUB:
        # It leaves out of its answer what another scope includes; what was asked for is to be found again.
        granted = unique(granted, [scope for scope in with_included(granted) if scope in requested])
    # The long and the short name of one scope count as both, so that what was asked for is found again.
    for prefix in (_GOOGLE_SCOPES, _GRAPH_SCOPES):
        granted = unique(granted, [scope.removeprefix(prefix) for scope in granted if scope.startswith(prefix)])
    # Some leave out what only says which tokens come back; the tokens themselves say it.
    told = [("offline_access", refresh_token), ("openid", id_token)]
    return unique(granted, [scope for scope, token in told if token and scope in requested])


def _text(provider: Provider, holder: Mapping[str, Any], name: str) -> str | None:
    """A member that is text which can stand in an HTTP header; None where it is absent, null or empty."""
    value = holder.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise OutboundFailed("garbage", provider=provider.name)
    return value


def _end(provider: Provider, lifetime: Any, now: datetime, *, may_be_never: bool = False) -> datetime | None:
    """When a lifetime in seconds (a number, or its digits) is over; None for none."""
    if lifetime is None:
        return None
    try:
        if isinstance(lifetime, bool):
            raise ValueError
        seconds = int(lifetime)
    except (ValueError, TypeError, OverflowError):
        raise OutboundFailed("garbage", provider=provider.name) from None
    if seconds <= 0 and may_be_never:
        return None
    return now + timedelta(seconds=min(max(seconds, 0), MAX_LIFETIME_SECONDS))
