"""One refresh at a provider's token endpoint, and what its answer means (RFC 6749 s6 and s5.2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from accounts.vault.base import SealingUnavailable, TokenSet, VaultError
from upstream import answers, token_endpoint
from upstream.errors import NeedsReauthorization, OutboundFailed, TemporarilyUnavailable, UpstreamError
from upstream.http import Answer
from upstream.models import Provider

TIMEOUT_SECONDS = 10
MAX_RETRY_AFTER_SECONDS = 300
CONFIGURATION_RETRY_SECONDS = 60

# The refresh token is no longer honoured: RFC 6749's word, and GitHub's, Slack's and Entra's.
_DEAD = {
    "invalid_grant", "bad_refresh_token", "invalid_refresh_token", "refresh_token_expired", "token_revoked",
    "token_expired", "invalid_token", "interaction_required", "consent_required", "login_required", "account_inactive",
}  # fmt: skip
# It is us whom the provider refuses: no new sign-in mends that, an operator does.
_OURS = {
    "invalid_client",
    "unauthorized_client",
    "invalid_request",
    "unsupported_grant_type",
    "incorrect_client_credentials",
}


def refresh(
    provider: Provider,
    held: TokenSet,
    *,
    now: datetime,
    before_sending: Callable[[], None] = lambda: None,
) -> TokenSet:
    """What the provider gives for the refresh token held.

    `before_sending` comes when all is looked up and nothing is sent, and may raise.
    Raises `NeedsReauthorization` where it says that the token is dead, `TemporarilyUnavailable` for everything that may
    pass: then the held tokens are as good as before.
    """
    form = {"grant_type": "refresh_token", "refresh_token": held.refresh_token or ""}
    if provider.type == Provider.Type.ENTRA:
        form["scope"] = " ".join(held.scopes)
    try:
        answer = token_endpoint.post(provider, form, timeout_seconds=TIMEOUT_SECONDS, before_sending=before_sending)
        refusal = _refusal(answer)
        if refusal:
            raise _meaning(provider, answer, refusal)
        return answers.token_set(provider, answer.json(), requested=held.scopes, now=now)
    except (NeedsReauthorization, TemporarilyUnavailable):
        raise
    except SealingUnavailable:
        raise TemporarilyUnavailable("sealing_unavailable", provider=provider.name) from None
    except VaultError:
        # Our own secret at the provider does not open: an operator's matter.
        raise TemporarilyUnavailable(
            "client_secret_unreadable", provider=provider.name, retry_after_seconds=CONFIGURATION_RETRY_SECONDS
        ) from None
    except UpstreamError as error:
        raise TemporarilyUnavailable(error.reason, provider=provider.name) from None


def _refusal(answer: Answer) -> str:
    """The error code of a refusal, `http_<status>` where it has none, empty for tokens. Errors may come with 200."""
    try:
        document = answer.json()
    except OutboundFailed:
        document = None
    if isinstance(document, dict):
        error = document.get("error")
        if isinstance(error, str) and error and answer.status < 500:
            return error
        if 200 <= answer.status < 300 and document.get("ok") is not False:
            return ""
    elif 200 <= answer.status < 300:
        return "garbage"
    return f"http_{answer.status}"


def _meaning(provider: Provider, answer: Answer, refusal: str) -> UpstreamError:
    name = provider.name
    if refusal in _DEAD or (provider.type == Provider.Type.ATLASSIAN and _is_atlassians_word(answer, refusal)):
        return NeedsReauthorization("refused_by_provider", provider=name)
    if answer.status == 429:
        given = answer.headers.get("Retry-After", "")
        seconds = int(given) if given.isascii() and given.isdigit() and len(given) < 6 else 5
        return TemporarilyUnavailable(
            "rate_limited", provider=name, retry_after_seconds=min(max(seconds, 1), MAX_RETRY_AFTER_SECONDS)
        )
    if refusal in _OURS:
        return TemporarilyUnavailable("client_refused", provider=name, retry_after_seconds=CONFIGURATION_RETRY_SECONDS)
    known = refusal == "garbage" or refusal.startswith("http_")
    return TemporarilyUnavailable(refusal if known else f"http_{answer.status}", provider=name)


def _is_atlassians_word(answer: Answer, refusal: str) -> bool:
    """Atlassian says `unauthorized_client` (403) for a dead refresh token too; only its description tells which."""
    return refusal == "unauthorized_client" and b"refresh_token" in answer.body
