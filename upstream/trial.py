"""A test sign-in, from a claimed visit to what an operator may know of it. Nothing of it is kept.

It goes the way that people's sign-ins go: the same backend, callback, state, PKCE and nonce, and the same checks. Its
pipeline (`TEST_PIPELINE`) ends where the person is known, before the first step that writes; the tokens are revoked where
that can hurt nobody, and dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from accounts.changes import is_secret
from accounts.models import User
from accounts.vault import vault
from accounts.vault.base import TokenSet, Unstorable, VaultError
from accounts.vault.bounds import check_tokens
from upstream import answers, completion, identities, revoke_call
from upstream.allow import permits
from upstream.backends.base import ProviderBackend
from upstream.errors import SignInRefused, TemporarilyUnavailable, UpstreamError
from upstream.identity import Identity
from upstream.models import Visit
from upstream.providers import client_secret

MASKED = "(not shown)"
MAX_CLAIMS = 100
MAX_CLAIM = 1000
_LEAST_SECRET = 8
"""Shorter ones would be found in every word."""
_ONE_USE = {"nonce", "state", "code"}

KEPT_IN_USE = "in_use"
NOT_REVOKED = "not_revoked"


@dataclass(frozen=True)
class Given:
    """What the token endpoint gave, without a token. A lifetime of None has no end; `says_scopes`: it named them."""

    scopes: tuple[str, ...]
    says_scopes: bool
    lifetime_seconds: int | None
    refresh_token: bool
    refresh_lifetime_seconds: int | None


@dataclass(frozen=True)
class Trial:
    """How far it came. `error` says why it came no further; `refusal` is then the token endpoint's code, if it gave one
    that is known. `known_as` is whose the identity is already; `is_permitted` what `allow` says. `claims` are names and
    values as JSON. `revoked` is how the tokens ended: an outcome of `revoke_call`, `in_use`, `not_revoked`, or empty
    where there were none.
    """

    asked: tuple[str, ...]
    error: UpstreamError | None = None
    refusal: str = ""
    given: Given | None = None
    identity: Identity | None = None
    claim: str = ""
    claims: Sequence[tuple[str, str]] = ()
    known_as: User | None = None
    is_permitted: bool = False
    revoked: str = ""


def conclude(visit: Visit, state: str, data: Mapping[str, str], request: HttpRequest, *, now: datetime) -> Trial:
    """Finish a test that has been claimed. Raises nothing of the provider's: that is what it tells of."""
    trial = Trial(asked=tuple(visit.scopes))
    try:
        backend = completion.prepared(visit, state, data, request)
    except UpstreamError as error:
        return replace(trial, error=error)
    tokens = None
    try:
        identity, claim = completion.answered(backend)
        tokens = _tokens(backend, now)
        check_tokens(tokens)
    except Unstorable:
        trial = replace(trial, error=SignInRefused("token_too_large", provider=backend.name))
    except UpstreamError as error:
        trial = replace(trial, error=error, refusal=backend.refusal)
    else:
        trial = replace(
            trial,
            identity=replace(identity, claims={}),
            claim=claim,
            claims=shown(identity.claims, _secrets(backend, tokens, data)),
            known_as=_known_as(backend, identity.subject, claim),
            is_permitted=permits(visit.provider.allow, identity),
        )
    try:
        tokens = tokens or _tokens(backend, now)
    except UpstreamError:
        return trial  # there were none
    return replace(trial, given=_given(backend, tokens), revoked=_revoked(backend, trial, tokens, now))


def shown(claims: Mapping[str, Any], secrets: Sequence[str]) -> list[tuple[str, str]]:
    """The claims by name, each value as JSON: none that is, holds or is named like one of the secrets; bounded."""
    found = []
    for name, value in sorted(claims.items(), key=lambda item: str(item[0]))[:MAX_CLAIMS]:
        text = json.dumps(_masked(str(name), value), ensure_ascii=False, default=str)
        if any(secret in text or secret in str(name) for secret in secrets):
            text = json.dumps(MASKED, ensure_ascii=False)
        found.append((str(name)[:MAX_CLAIM], text if len(text) <= MAX_CLAIM else f"{text[: MAX_CLAIM - 1]}…"))
    return found


def _masked(name: str, value: Any) -> Any:
    if is_secret(name) or name.lower() in _ONE_USE:
        return MASKED
    if isinstance(value, Mapping):
        return {str(key): _masked(str(key), member) for key, member in list(value.items())[:MAX_CLAIMS]}
    if isinstance(value, list):
        return [_masked("", member) for member in value[:MAX_CLAIMS]]
    return value


def _secrets(backend: ProviderBackend, tokens: TokenSet, data: Mapping[str, str]) -> list[str]:
    transaction = backend.transaction
    found = [
        tokens.access_token, tokens.refresh_token, tokens.id_token, data.get("code"), transaction.state,
        transaction.code_verifier, transaction.nonce, client_secret(backend.provider),
    ]  # fmt: skip
    return [secret for secret in found if secret and len(secret) >= _LEAST_SECRET]


def _tokens(backend: ProviderBackend, now: datetime) -> TokenSet:
    return answers.token_set(backend.provider, backend.token_answer, requested=backend.transaction.scopes, now=now)


def _given(backend: ProviderBackend, tokens: TokenSet) -> Given:
    holder = answers.member(backend.provider, backend.token_answer)
    return Given(
        scopes=tokens.scopes,
        says_scopes=any(holder.get(name) is not None for name in ("scope", "scopes")),
        lifetime_seconds=_seconds(tokens.obtained_at, tokens.expires_at),
        refresh_token=bool(tokens.refresh_token),
        refresh_lifetime_seconds=_seconds(tokens.obtained_at, tokens.refresh_expires_at),
    )


def _seconds(since: datetime | None, until: datetime | None) -> int | None:
    return None if since is None or until is None else round((until - since).total_seconds())


def _known_as(backend: ProviderBackend, subject: str, claim: str) -> User | None:
    """As `social_user` finds them, which would also rename what it finds."""
    storage: Any = backend.strategy.storage.user
    for stored_claim in (claim, ""):
        if social := storage.get_social_auth(backend.name, subject, id_key=stored_claim):
            user: User = social.user
            return user
    return None


def _revoked(backend: ProviderBackend, trial: Trial, tokens: TokenSet, now: datetime) -> str:
    """Tell the provider, unless somebody is connected with this account: many end the whole grant with one of its tokens."""
    if trial.identity is None:
        in_use = identities.any_known(backend.name)
    else:
        held = vault().credentials.of_user(trial.known_as.pk, backend.name) if trial.known_as else ()
        in_use = any(credential.subject == trial.identity.subject for credential in held)
    if in_use:
        return KEPT_IN_USE
    try:
        return revoke_call.tell(backend.provider, tokens, now=now).outcome
    except (TemporarilyUnavailable, VaultError):
        return NOT_REVOKED
