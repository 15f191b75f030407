"""The provider's state: sign-ins, codes, access and refresh tokens, and the statements that decide races."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from . import opaque
from .counters import count
from .errors import OAuthError, invalid_grant
from .knobs import Knobs
from .models import AccessToken, Client, Code, Grant, RefreshToken
from .people import Person

VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 s4.1


@dataclass(frozen=True)
class Issued:
    """Tokens fresh from the press; `nonce` is that of the sign-in, and absent on a refresh."""

    grant: Grant
    scopes: Sequence[str]
    lifetime_seconds: int
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    nonce: str = ""


def approve(
    person: Person,
    client: Client,
    scopes: Sequence[str],
    *,
    redirect_uri: str,
    code_challenge: str,
    nonce: str,
    asked_consent: bool,
    knobs: Knobs,
    now: datetime,
) -> str:
    """Record that `person` signed in for `client`; the code to send back."""
    code = opaque.new("code", knobs.canary)
    with transaction.atomic():
        grant = Grant.objects.create(
            client_id=client.client_id, subject=person.subject, scopes=list(scopes), signed_in_at=now
        )
        Code.objects.create(
            code_hash=opaque.digest(code),
            grant=grant,
            redirect_uri=redirect_uri,
            code_challenge=code_challenge,
            nonce=nonce,
            asked_consent=asked_consent,
            expires_at=now + timedelta(seconds=knobs.code_seconds),
        )
    return code


def redeem(presented: str, client: Client, *, redirect_uri: str, verifier: str, knobs: Knobs, now: datetime) -> Issued:
    """Tokens for a code (RFC 6749 s4.1.3, RFC 7636 s4.6); a replay revokes what it gave (RFC 6749 s4.1.2)."""
    mine = Code.objects.select_related("grant").filter(grant__client_id=client.client_id)
    code = mine.filter(code_hash=opaque.digest(presented)).first()
    if code is None or code.redirect_uri != redirect_uri:
        raise invalid_grant("the code is unknown, or was issued to another client or redirect URI")
    if not VERIFIER.fullmatch(verifier) or not secrets.compare_digest(_challenge(verifier), code.code_challenge):
        raise invalid_grant("the code verifier does not match")
    if code.expires_at <= now and code.spent_at is None:
        raise invalid_grant("the code has expired")
    with transaction.atomic():
        if first := _spend(Code.objects.filter(code_hash=code.code_hash), now):
            token = _new_refresh_token(code.grant, knobs) if _may_have_refresh_token(code, knobs) else None
            issued = _issue(code.grant, code.grant.scopes, token, knobs, now, nonce=code.nonce)
    if first:
        count("code_successes")
        return issued
    revoke(code.grant, now)
    count("code_replays")
    raise invalid_grant("the code was used before")


def refresh(presented: str, client: Client, *, scope: str, knobs: Knobs, now: datetime) -> Issued:
    """Tokens for a refresh token (RFC 6749 s6).

    Of parallel uses of one rotating token exactly one succeeds, and each other one is a reuse, which ends the
    whole family (RFC 9700 s4.14.2).
    """
    mine = RefreshToken.objects.select_related("grant").filter(grant__client_id=client.client_id)
    token = mine.filter(token_hash=opaque.digest(presented)).first()
    if token is None or token.grant.revoked_at is not None:
        raise invalid_grant("the refresh token is unknown or revoked")
    scopes = _narrowed(token.grant.scopes, scope)
    sends_one = "refresh" not in knobs.no_refresh_token
    rotates = knobs.rotate and sends_one
    with transaction.atomic():
        this = RefreshToken.objects.filter(token_hash=token.token_hash)
        if first := _spend(this, now) if rotates else token.spent_at is None:
            successor = _new_refresh_token(token.grant, knobs) if rotates else presented if sends_one else None
            issued = _issue(token.grant, scopes, successor, knobs, now)
    if first:
        count("refresh_successes")
        return issued
    count("reuse_detected")
    if knobs.reuse_detection:
        revoke(token.grant, now)
    raise invalid_grant("the refresh token was used before")


def live_access_token(presented: str, now: datetime) -> AccessToken | None:
    """The access token, with its grant, if it is neither expired nor revoked."""
    live = AccessToken.objects.select_related("grant").filter(expires_at__gt=now, grant__revoked_at=None)
    return live.filter(token_hash=opaque.digest(presented)).first()


def revoke_token(presented: str, client: Client, now: datetime) -> None:
    """RFC 7009 s2.1: a refresh token of any generation ends its family, an access token only itself."""
    token_hash = opaque.digest(presented)
    mine = RefreshToken.objects.select_related("grant").filter(grant__client_id=client.client_id)
    if token := mine.filter(token_hash=token_hash).first():
        revoke(token.grant, now)
    else:
        AccessToken.objects.filter(token_hash=token_hash, grant__client_id=client.client_id).delete()


def revoke(grant: Grant, now: datetime) -> None:
    """End a family. Its tokens need no statement of their own: none lives without its grant."""
    Grant.objects.filter(pk=grant.pk, revoked_at=None).update(revoked_at=now)


def _spend(rows: QuerySet[Code] | QuerySet[RefreshToken], now: datetime) -> bool:
    """Whether we are the first: of any number of callers, in any number of processes, one is."""
    return rows.filter(spent_at=None).update(spent_at=now) == 1


def _issue(
    grant: Grant,
    scopes: Sequence[str],
    refresh_token: str | None,
    knobs: Knobs,
    now: datetime,
    nonce: str = "",
) -> Issued:
    access_token = opaque.new("at", knobs.canary)
    lifetime_seconds = knobs.access_token_seconds
    AccessToken.objects.create(
        token_hash=opaque.digest(access_token),
        grant=grant,
        scopes=list(scopes),
        expires_at=now + timedelta(seconds=lifetime_seconds),
    )
    return Issued(grant, scopes, lifetime_seconds, access_token, refresh_token, nonce)


def _new_refresh_token(grant: Grant, knobs: Knobs) -> str:
    token = opaque.new("rt", knobs.canary)
    RefreshToken.objects.create(token_hash=opaque.digest(token), grant=grant)
    return token


def _may_have_refresh_token(code: Code, knobs: Knobs) -> bool:
    """Whether this sign-in gives a refresh token. It is the second if a live grant has given one before."""
    if "sign_in" in knobs.no_refresh_token:
        return False
    if "without_offline_access" in knobs.no_refresh_token and "offline_access" not in code.grant.scopes:
        return False
    if "second_sign_in" in knobs.no_refresh_token and not code.asked_consent:
        theirs = Grant.objects.filter(client_id=code.grant.client_id, subject=code.grant.subject, revoked_at=None)
        return not theirs.filter(refresh_tokens__isnull=False).exists()
    return True


def _narrowed(granted: Sequence[str], asked: str) -> Sequence[str]:
    """The scopes of a refresh: what was granted, or less (RFC 6749 s6)."""
    wanted = asked.split()
    if set(wanted) - set(granted):
        raise OAuthError("invalid_scope", "the scope exceeds what was granted")
    return [scope for scope in granted if scope in wanted] if wanted else granted


def _challenge(verifier: str) -> str:
    """RFC 7636 s4.2, method S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()
