"""The vault's rule of access, in one place: when an upstream token leaves, to whom, and what is written first.

To an authenticated resource server, for a live session whose resource is one of that server's, whose user and client
match, for an upstream the resource names, within the scopes approved. All of it is checked before any refresh; the
audit rows are written before the answer is sent. Token exchange and the by-tsid API both call `release`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts import audit, metrics
from accounts.vault.base import Entries, Session, SessionGone
from authserver.connections import connect_url
from authserver.errors import OAuthError
from authserver.models import ResourceUpstream
from authserver.scopes import MAX_SCOPES, SCOPE
from upstream.errors import MissingScope, NotConnected, TemporarilyUnavailable, UpstreamError
from upstream.models import Provider
from upstream.providers import unique
from upstream.refresh import Fresh
from upstream.refresh_all import Wanted, fresh_tokens_of_all


class Refused(Exception):
    """The session or its client no longer allows a release; the message is for the log."""


@dataclass(frozen=True)
class Asker:
    """The authenticated resource server, and where its request came from."""

    client_id: str
    address: str | None


@dataclass(frozen=True)
class Whose:
    """The session, and what the asker's proof says about it: a verified JWT's claims, or the session itself."""

    tsid: str
    user_id: UUID
    client_id: str
    resource: str


@dataclass(frozen=True)
class Released:
    """One upstream's outcome: a token, or the state that stands in its way."""

    provider: Provider
    outcome: Fresh | UpstreamError


def asked_scopes(parameters: Mapping[str, str]) -> tuple[str, ...]:
    """The upstream scopes that a caller asks for besides the configured ones. Raises `OAuthError` invalid_scope."""
    asked = tuple(dict.fromkeys(scope for scope in parameters.get("scope", "").split(" ") if scope))
    if len(asked) > MAX_SCOPES or not all(SCOPE.fullmatch(scope) for scope in asked):
        words = f"scope takes at most {MAX_SCOPES} scopes of RFC 6749 section 3.3, with a space between them."
        raise OAuthError("invalid_scope", words)
    return asked


def release(
    asker: Asker,
    whose: Whose,
    upstreams: Sequence[ResourceUpstream],
    *,
    wanted_scopes: Sequence[str] = (),
    seen: Entries | None = None,
    now: datetime,
) -> list[Released]:
    """The person's token at each of these upstreams of the session's resource, or why there is none, in their order.

    A token has the scopes that the resource's configuration names for the upstream now, and `wanted_scopes` besides;
    lacking one is a state like any other. `seen` is the session as the vault gave it just now, where it has been read.
    Raises `Refused`. Every outcome is in the audit trail by then.
    """
    wanted = [Wanted(entry.provider, unique(entry.scopes, wanted_scopes)) for entry in upstreams]

    def accept(session: Session) -> None:
        if not session.user_is_active:
            raise Refused("the user is not active")
        if (session.user_id, session.client_id, session.resource) != (whose.user_id, whose.client_id, whose.resource):
            raise Refused("the token and its session disagree")

    try:
        outcomes = fresh_tokens_of_all(whose.tsid, wanted, now=now, accept=accept, seen=seen)
    except (SessionGone, Refused) as error:
        reason = "session_gone" if isinstance(error, SessionGone) else str(error)
        names = [entry.provider.name for entry in upstreams]
        audit.record_all([_event(asker, whose, name, "refused", reason) for name in names], now=now)
        raise Refused(reason) from None
    released = [Released(entry.provider, outcome) for entry, outcome in zip(upstreams, outcomes, strict=True)]
    audit.record_all([_event_of(asker, whose, one) for one in released], now=now)
    return released


def _event_of(asker: Asker, whose: Whose, one: Released) -> audit.Event:
    if isinstance(one.outcome, Fresh):
        return _event(asker, whose, one.provider.name, "ok", "")
    why = {"why": one.outcome.reason} if isinstance(one.outcome, TemporarilyUnavailable) else {}
    return _event(asker, whose, one.provider.name, "failed", state_of(one.outcome), **why)


def _event(asker: Asker, whose: Whose, upstream: str, outcome: str, reason: str, **detail: str) -> audit.Event:
    metrics.EXCHANGES.count(upstream, reason if outcome == "failed" else outcome)
    return audit.Event(
        "vault.release",
        outcome=outcome,
        reason=reason,
        actor=f"resource_server:{asker.client_id}",
        user_id=whose.user_id,
        client_id=whose.client_id,
        tsid=whose.tsid,
        resource=whose.resource,
        upstream=upstream,
        address=asker.address,
        detail=detail,
    )


def state_of(error: UpstreamError) -> str:
    """The `state` member of interface.md for an upstream error."""
    if isinstance(error, NotConnected):
        return "not_connected"
    if isinstance(error, MissingScope):
        return "missing_scope"
    if isinstance(error, TemporarilyUnavailable):
        return "temporarily_unavailable"
    return "needs_reauthorization"


def token_members(fresh: Fresh, *, now: datetime) -> dict[str, Any]:
    """What an answer says about a token (RFC 6749 section 5.1). Its type here is how it is used: as a bearer token."""
    members: dict[str, Any] = {"access_token": fresh.access_token, "token_type": "Bearer"}
    if fresh.expires_at is not None:  # never 0, which golang.org/x/oauth2 takes for "does not expire"
        members["expires_in"] = max(1, int((fresh.expires_at - now).total_seconds()))
    if fresh.scopes:
        members["scope"] = " ".join(fresh.scopes)
    return members


def describe(one: Released, whose: Whose) -> OAuthError:
    """The OAuth error for an upstream that gave no token: what happened, in words, and where to send the person."""
    error, provider = one.outcome, one.provider
    assert isinstance(error, UpstreamError)  # noqa: S101 - narrows the type: the caller has a `Fresh` otherwise
    state = state_of(error)
    if isinstance(error, TemporarilyUnavailable):
        if not provider.enabled:
            return OAuthError("invalid_target", f"{provider.title} is switched off here.", members={"state": state})
        return OAuthError(
            "temporarily_unavailable",
            f"{provider.title} does not answer properly at the moment. Try again shortly.",
            status=503,
            headers={"Retry-After": str(error.retry_after_seconds)},
            members={"state": state},
            detail=error.reason,
        )
    missing = error.missing_scopes if isinstance(error, MissingScope) else ()
    members: dict[str, object] = {
        "state": state,
        "connect_url": connect_url(whose.tsid, whose.user_id, provider, missing),
    }
    if missing:
        members["missing_scopes"] = list(missing)
    return OAuthError("invalid_grant", _WORDS[state].format(title=provider.title), members=members)


_WORDS = {
    "not_connected": "The person has not connected {title}.",
    "missing_scope": "The person has not approved these scopes of {title}.",
    "needs_reauthorization": "{title} no longer honours the stored grant; the person must sign in again.",
}
