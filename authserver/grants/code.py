"""The authorization code grant: check first, then claim the code and store the lineage in one transaction."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import timedelta
from typing import Any

from django.db import transaction

from accounts import metrics
from accounts.prepared_writes import PreparedInsert
from accounts.vault import vault
from authserver import cascade, codes, policy, refresh_tokens
from authserver.errors import OAuthError
from authserver.grants.context import TokenContext
from authserver.grants.targets import check_target, lifetime_seconds
from authserver.models import RefreshToken

_INSERT = PreparedInsert(RefreshToken)
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 section 4.1


def invalid(detail: str) -> OAuthError:
    """One answer whatever is wrong with a code: a guesser learns nothing."""
    return OAuthError(
        "invalid_grant",
        "The authorization code is not valid: unknown, expired, already used, or given to another client.",
        detail=detail,
    )


def check(context: TokenContext) -> None:
    """Everything about the code except the claim itself. Raises `OAuthError`.

    A replay of a redeemed code by someone who has the right client, redirect URI and verifier ends the session
    (RFC 6749 section 4.1.2): one of the two who hold them is a thief.
    """
    grant, client = context.grant, context.client
    if grant is None or client is None or grant.application_id != client.pk:
        raise invalid("unknown code, or another client's")
    if grant.failed_attempts >= codes.MAX_FAILED_ATTEMPTS:
        raise invalid("burnt by wrong verifiers")
    redirect_uri = context.parameters.get("redirect_uri")
    if redirect_uri is not None and redirect_uri != grant.redirect_uri:
        raise invalid("another redirect_uri")
    verifier = context.parameters.get("code_verifier")
    if verifier is None:
        raise OAuthError("invalid_request", "code_verifier is missing (RFC 7636).")
    if not VERIFIER.fullmatch(verifier) or not _answers(verifier, grant.code_challenge):
        codes.count_failure(grant)
        raise invalid("wrong code_verifier")
    if grant.claimed_at is not None:
        metrics.REPLAYS.count("code", "session_ended")
        cascade.revoke_session(grant.tsid, reason="code_replay", actor=f"client:{client.client_id}")
        raise invalid("replayed; its session was ended")
    if grant.expires <= context.now:
        raise invalid("expired")
    if not grant.user.is_active:
        raise invalid("the user is not active")
    check_target(context, grant.audience)
    context.resource, context.tsid = grant.audience, grant.tsid


def _answers(verifier: str, challenge: str) -> bool:
    digest = hashlib.sha256(verifier.encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge)


def save(context: TokenContext, token: dict[str, Any]) -> None:
    """Claim the code, bring the session to life and store the lineage: all of it or nothing.

    The JWT in `token` is signed already; it reaches nobody unless this commits.
    """
    grant, client, resource = context.grant, context.client, context.resource
    if grant is None or client is None or resource is None:
        raise invalid("save without check")
    lifetimes = policy.current().lifetimes
    refreshing = "refresh_token" in client.grant_types
    idle = lifetimes.refresh_idle if refreshing else lifetime_seconds(resource)
    idle_expires_at = context.now + timedelta(seconds=idle)
    with transaction.atomic():
        if not codes.claim(grant, now=context.now):
            raise invalid("lost the race for the code")
        if not vault().sessions.touch(grant.tsid, idle_expires_at=idle_expires_at, now=context.now):
            raise invalid("its session is gone")
        if refreshing:
            handle = refresh_tokens.new_handle()
            refresh_token = refresh_tokens.mint(handle, 1)
            _INSERT.save(
                RefreshToken(
                    handle=handle,
                    tsid=grant.tsid,
                    user_id=grant.user_id,
                    application=client,
                    audience=resource,
                    resource=[resource.identifier],
                    scope=grant.scope,
                    auth_time=grant.auth_time,
                    token="",
                    token_checksum=refresh_tokens.checksum(refresh_token),
                    idle_expires_at=idle_expires_at,
                    expires_at=context.now + timedelta(seconds=lifetimes.refresh_absolute),
                )
            )
            token["refresh_token"] = refresh_token
