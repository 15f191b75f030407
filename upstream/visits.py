"""A person's way to a provider and back: begun here, finished by `upstream.views`.

A `Visit` is one use of one `state` by one browser. Its row says what was asked and where to return; its secrets follow
from the state, of which only the hash is stored.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

from accounts import tracing
from accounts.browser import browser_hash, session_hash
from accounts.vault import vault
from accounts.vault.base import CredentialState
from upstream.errors import UpstreamError
from upstream.models import Provider, Visit
from upstream.providers import callback_url, scopes_of, unique
from upstream.strategy import ProviderStrategy, Transaction

MAX_LIFETIME_SECONDS = 600
STATE = re.compile(r"[A-Za-z0-9_-]{43}")
STATE_HASH = re.compile(r"[0-9a-f]{64}")
_MAX_HINT = 255
_OFFLINE = "offline_access"


def begin(
    *,
    provider: Provider,
    purpose: Visit.Purpose,
    scopes: Sequence[str],
    browser_hash: str,
    return_path: str,
    now: datetime,
    request: HttpRequest,
    user_id: UUID | None = None,
    lifetime_seconds: int = 900,
    login_hint: str = "",
    prompt: str = "",
    ui_locales: str = "",
    language: str = "",
    max_age: int | None = None,
    acr_values: str = "",
) -> str:
    """Note the visit and answer the URL at the provider to send the browser to.

    `browser_hash` is `accounts.browser.browser_hash` of the browser that may come back; for a test, `session_hash`.
    `scopes` are asked for beside the provider's own and those a known person has granted already, so that a new token
    never takes any away. `user_id` is who connects, or the only one who may sign in, or the operator who tests, which a
    provider that is switched off allows too. `return_path` is a path on our own origin; the person arrives there with
    `visit=<state hash>` added, whatever became of it, except of a test. Raises `UpstreamError` where the provider may
    not be used so, or cannot be reached.
    """
    is_test = purpose == Visit.Purpose.TEST
    if not provider.enabled and not is_test:
        raise UpstreamError("provider_disabled", provider=provider.name)
    if purpose == Visit.Purpose.SIGN_IN and not provider.sign_in:
        raise UpstreamError("sign_in_not_offered", provider=provider.name)
    if purpose in {Visit.Purpose.CONNECT, Visit.Purpose.TEST} and user_id is None:
        raise ValueError("a visit to connect, and a test, is somebody's")
    if not _is_ours(return_path):
        raise ValueError("return_path leaves our origin")
    held = () if is_test or not purpose.wants_tokens else _held(provider, user_id)
    hints = {"login_hint": login_hint, "prompt": prompt, "ui_locales": ui_locales, "acr_values": acr_values}
    if max_age is not None:
        hints["max_age"] = str(max_age)
    transaction = Transaction(
        state=secrets.token_urlsafe(32),
        redirect_uri=callback_url(provider),
        scopes=_scopes(provider, held, scopes, purpose),
        purpose=purpose,
        hints={name: value[:_MAX_HINT] for name, value in hints.items() if value},
        renewable=not purpose.wants_tokens or any(one.live and one.refreshable for one in held),
    )
    backend = ProviderStrategy(request=request, provider=provider, transaction=transaction).provider_backend()
    url: str = backend.auth_url()
    tracing.leave(f"visit:{transaction.state_hash}")
    Visit.objects.create(
        state_hash=transaction.state_hash,
        provider=provider,
        purpose=purpose,
        browser_hash=browser_hash,
        user_id=user_id,
        scopes=list(transaction.scopes),
        redirect_uri=transaction.redirect_uri,
        return_path=return_path,
        language=language,
        created_at=now,
        expires_at=now + timedelta(seconds=min(lifetime_seconds, MAX_LIFETIME_SECONDS)),
    )
    return url


def find(state: str) -> Visit | None:
    """The visit of a state, with its provider; None for what is not a state of ours."""
    if not STATE.fullmatch(state):
        return None
    state_hash = hashlib.sha256(state.encode()).hexdigest()
    return Visit.objects.select_related("provider").filter(pk=state_hash).first()


def returned(unverified_hash: str, *, return_path: str) -> Visit | None:
    """The visit that somebody who comes to `return_path` says they come from, with its provider; None for anything else."""
    if not STATE_HASH.fullmatch(unverified_hash):
        return None
    return Visit.objects.select_related("provider").filter(pk=unverified_hash, return_path=return_path).first()


def is_at_home(visit: Visit, request: HttpRequest) -> bool:
    """Whether this is the browser that the visit was begun in; for a test, and the same console session in it."""
    here = session_hash(request) if visit.purpose == Visit.Purpose.TEST else browser_hash(request)
    return here == visit.browser_hash


def claim(visit: Visit, *, now: datetime) -> bool:
    """Use the visit up: one conditional write, so that of two callbacks one goes on."""
    unclaimed = Visit.objects.filter(pk=visit.pk, claimed_at=None, expires_at__gt=now)
    return unclaimed.update(claimed_at=now) == 1


def finish(visit: Visit, outcome: Visit.Outcome, user_id: UUID | None = None, *, reason: str = "") -> None:
    """Note what became of it, and who came of it, for whoever sent the person."""
    Visit.objects.filter(pk=visit.pk).update(outcome=outcome, user_id=user_id or visit.user_id, reason=reason[:64])


def _held(provider: Provider, user_id: UUID | None) -> Sequence[CredentialState]:
    return vault().credentials.of_user(user_id, provider.name) if user_id is not None else ()


def _scopes(
    provider: Provider, held: Sequence[CredentialState], asked: Sequence[str], purpose: Visit.Purpose
) -> tuple[str, ...]:
    """No refresh token is asked for where only who it is counts."""
    granted = [credential.scopes for credential in held if credential.live]
    scopes = unique(scopes_of(provider), asked, *granted)
    return scopes if purpose.wants_tokens else tuple(scope for scope in scopes if scope != _OFFLINE)


def _is_ours(path: str) -> bool:
    return path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)
