"""The refresh token grant: sealed idempotent rotation.

One conditional UPDATE decides who rotates. The winner's answer is stored in that very statement, sealed under a key
derived from the token it took; every other request with that token, parallel or later inside the replay window, on any
replica, opens it and answers the identical bytes. A genuine token of any older generation, or one replayed after the
window, ends the session (RFC 9700 section 4.14.2).

An app may be set to reusable refresh tokens (`App.reusable_refresh_tokens`): then nothing rotates, and reuse shows nothing.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from django.db.models import BigAutoField, IntegerField

from accounts import metrics
from accounts.prepared import Prepared, slot
from accounts.prepared_writes import PreparedUpdate
from accounts.vault import vault
from accounts.vault.base import Damaged, SessionGone
from accounts.vault.derived import open_under, seal_under
from authserver import cascade, policy, refresh_tokens
from authserver.errors import OAuthError
from authserver.grants.context import TokenContext
from authserver.grants.targets import check_target
from authserver.models import RefreshToken, ResourceUpstream
from authserver.scopes import IDENTITY_SCOPES

_BY_HANDLE: Prepared[RefreshToken] = Prepared(
    lambda: RefreshToken.objects.select_related("application__app", "user", "audience").filter(handle=slot("handle"))
)

_ROTATE = PreparedUpdate(
    lambda: RefreshToken.objects.filter(
        pk=slot("pk", BigAutoField()),
        generation=slot("seen", IntegerField()),
        token_checksum=slot("presented"),
        revoked=None,
    ),
    "generation", "token_checksum", "replay_checksum", "replay_sealed", "replay_until", "idle_expires_at", "updated",
)  # fmt: skip


def invalid(detail: str) -> OAuthError:
    """One answer whatever is wrong with a refresh token: the client authorizes again."""
    return OAuthError(
        "invalid_grant",
        "The refresh token is not valid: unknown, expired, revoked, already used, or given to another client.",
        detail=detail,
    )


def find(token: str) -> tuple[refresh_tokens.Genuine | None, RefreshToken | None]:
    """What the token proves, and its lineage with everything a refresh needs, in one read at most."""
    genuine = refresh_tokens.read(token)
    if genuine is None:
        return None, None
    return genuine, _BY_HANDLE.first(handle=genuine.handle)


def check(context: TokenContext) -> None:
    """Everything behaviour.md asks of a refresh, before anything is written. Raises `OAuthError`."""
    row, genuine, client = context.refresh, context.genuine, context.client
    if row is None or genuine is None or client is None or row.application_id != client.pk:
        raise invalid("unknown, or another client's")
    if row.revoked is not None:
        raise invalid("revoked")
    if min(row.idle_expires_at, row.expires_at) <= context.now:
        raise invalid("expired")
    if genuine.checksum == row.token_checksum:
        pass
    elif _in_replay_window(row, genuine, context):
        context.replayed = {}
    elif genuine.generation >= row.generation:
        raise invalid("of a generation this database has not seen")  # a restored backup, not a thief
    else:
        metrics.REPLAYS.count("refresh_token", "session_ended")
        cascade.revoke_session(row.tsid, reason="refresh_token_reuse", actor=f"client:{client.client_id}")
        raise invalid("reused; its session was ended")
    if not row.user.is_active:
        raise invalid("the user is not active")
    check_target(context, row.audience)
    _check_scope(context)
    try:
        _use_session(row, context)
    except SessionGone:
        raise invalid("its session is gone") from None
    context.resource, context.tsid = row.audience, row.tsid


def _check_scope(context: TokenContext) -> None:
    """RFC 6749 section 6: narrower or as it was. oauthlib looks too, and later than the session is noted as used."""
    context.held_scopes = _scopes_still_held(context)
    asked = context.parameters.get("scope", "").split()
    if not set(asked) <= set(context.held_scopes):
        raise OAuthError("invalid_scope", "A refresh cannot ask for more scopes than were granted.")


def _use_session(row: RefreshToken, context: TokenContext) -> None:
    """Note the live session as used, last of all checks: what is refused is no use, and nor is a replay.

    It is done before the rotation, which is safe: whoever ends a session ends its lineage before the end is
    acknowledged, and nothing ended rotates. Raises `SessionGone`, `OAuthError`.
    """
    sessions = vault().sessions
    if context.replayed is not None:
        session = sessions.alive(row.tsid, now=context.now)
    else:
        session = sessions.use(row.tsid, idle_expires_at=_idle_end(context), now=context.now)
    if not session.dead_providers:
        return
    if _requires(row.audience_id, session.dead_providers):
        raise invalid("a required upstream needs a new sign-in")
    if context.replayed is None and not sessions.touch(row.tsid, idle_expires_at=_idle_end(context), now=context.now):
        raise SessionGone("ended meanwhile")


def _idle_end(context: TokenContext) -> datetime:
    return context.now + timedelta(seconds=policy.current().lifetimes.refresh_idle)


def _in_replay_window(row: RefreshToken, genuine: refresh_tokens.Genuine, context: TokenContext) -> bool:
    return genuine.checksum == row.replay_checksum and row.replay_until is not None and context.now < row.replay_until


def _requires(resource_id: int, providers: tuple[str, ...]) -> bool:
    return ResourceUpstream.objects.filter(
        resource_id=resource_id, required=True, provider__name__in=providers
    ).exists()


def _scopes_still_held(context: TokenContext) -> list[str]:
    """The lineage's scopes that the resource still offers and the operator still lets the client have."""
    row = context.refresh
    assert row is not None  # noqa: S101 - `check` refused that
    offered = {*row.audience.scopes, *IDENTITY_SCOPES}
    if (allowed := row.application.scopes_allowed()) is not None:
        offered &= allowed
    held = [scope for scope in row.scope.split() if scope in offered]
    if row.scope and not held:
        raise OAuthError("invalid_scope", "None of the scopes that were granted is offered any more.")
    return held


def save(context: TokenContext, token: dict[str, Any]) -> None:
    """Rotate, or become the answer that the rotation of this token already had."""
    row, genuine = context.refresh, context.genuine
    if row is None or genuine is None:
        raise invalid("save without check")
    if context.replayed is not None:
        _become_kept_answer(context, row, token)
        return
    if row.application.app.reusable_refresh_tokens:
        _use_again(context, row, genuine, token)
        return
    presented = context.parameters["refresh_token"]
    successor = refresh_tokens.mint(row.handle, row.generation + 1)
    token["refresh_token"] = successor
    rotated = _ROTATE.run(
        pk=row.pk,
        seen=row.generation,
        presented=genuine.checksum,
        generation=row.generation + 1,
        token_checksum=refresh_tokens.checksum(successor),
        replay_checksum=genuine.checksum,
        replay_sealed=seal_under(presented, json.dumps(token).encode(), row.handle),
        replay_until=context.now + timedelta(seconds=policy.current().lifetimes.refresh_replay),
        idle_expires_at=_idle_end(context),
        updated=context.now,
    )
    if not rotated:
        _follow_the_winner(context, token)


def _use_again(
    context: TokenContext, row: RefreshToken, genuine: refresh_tokens.Genuine, token: dict[str, Any]
) -> None:
    """The same token goes on, as long as its session: only the idle time begins anew."""
    token["refresh_token"] = context.parameters["refresh_token"]
    current = RefreshToken.objects.filter(pk=row.pk, token_checksum=genuine.checksum, revoked=None)
    if not current.update(idle_expires_at=_idle_end(context), updated=context.now):
        raise invalid("revoked or rotated meanwhile")


def _follow_the_winner(context: TokenContext, token: dict[str, Any]) -> None:
    """Somebody else's UPDATE came first: a rotation of the same token, or a revocation."""
    if context.refresh is None or context.genuine is None:
        raise invalid("save without check")
    row = RefreshToken.objects.filter(pk=context.refresh.pk).first()
    if row is None or row.revoked is not None or not _in_replay_window(row, context.genuine, context):
        raise invalid("revoked or rotated meanwhile")
    _become_kept_answer(context, row, token)


def _become_kept_answer(context: TokenContext, row: RefreshToken, token: dict[str, Any]) -> None:
    try:
        kept = json.loads(open_under(context.parameters["refresh_token"], row.replay_sealed, row.handle))
    except Damaged:
        raise invalid("the kept answer does not open") from None
    metrics.REPLAYS.count("refresh_token", "answered")
    token.clear()
    token.update(kept)
