"""Telling one provider that its tokens are over, in the way its type knows, and what its answer means (RFC 7009)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from accounts.models import Revocation
from accounts.vault.base import SealingUnavailable, TokenSet, VaultError
from upstream import discovery, http, token_endpoint
from upstream.calls import Call
from upstream.errors import NeedsReauthorization, OutboundFailed, TemporarilyUnavailable, UpstreamError
from upstream.http import Answer
from upstream.models import Provider
from upstream.providers import client_secret
from upstream.refresh_call import refresh

TIMEOUT_SECONDS = 10
SLOWLY_SECONDS = 6 * 3600
"""Until the next attempt where the provider refuses us, or is disabled here: an operator mends that, not time."""
MAX_RETRY_AFTER_SECONDS = 86400

GOOGLE = "https://oauth2.googleapis.com/revoke"
_OFFERS_NONE = {Provider.Type.ATLASSIAN, Provider.Type.ENTRA}

# The token is no longer honoured, which is all that was wanted. RFC 7009's answer to that is 200; these are others'.
_GONE = {"invalid_token", "invalid_grant", "token_revoked", "token_expired"}
# It is us whom the provider refuses.
_OURS = {"invalid_client", "unauthorized_client", "invalid_request", "incorrect_client_credentials"}


@dataclass(frozen=True)
class Told:
    """How it ended: a state of the receipt, and the word for it."""

    state: str
    outcome: str


REVOKED = Told(Revocation.State.DONE, "revoked")
ALREADY_GONE = Told(Revocation.State.DONE, "already_gone")
UNSUPPORTED = Told(Revocation.State.DONE, "unsupported_token_type")  # this kind of token runs until its end there
EXPIRED = Told(Revocation.State.NOT_NEEDED, "expired")
NOT_OFFERED = Told(Revocation.State.NOT_NEEDED, "not_offered")


def tell(provider: Provider, tokens: TokenSet, *, now: datetime) -> Told:
    """Revoke these tokens at their provider. Three calls at most, and telling it twice does no harm.

    Raises `TemporarilyUnavailable` where it has to be tried again, and not before `retry_after_seconds`.
    """
    if provider.type in _OFFERS_NONE and not provider.revocation_endpoint:
        return NOT_OFFERED
    try:
        return _WAYS.get(provider.type, _by_rfc_7009)(provider, tokens, now)
    except TemporarilyUnavailable:
        raise
    except SealingUnavailable:
        raise TemporarilyUnavailable("sealing_unavailable", provider=provider.name) from None
    except VaultError:
        # Our own secret at the provider does not open: an operator's matter.
        raise TemporarilyUnavailable(
            "client_secret_unreadable", provider=provider.name, retry_after_seconds=SLOWLY_SECONDS
        ) from None
    except UpstreamError as error:
        raise TemporarilyUnavailable(error.reason, provider=provider.name) from None


def _by_rfc_7009(provider: Provider, tokens: TokenSet, now: datetime) -> Told:
    """The refresh token first: it is what lives longest, and most providers end the whole grant with it."""
    url = discovery.endpoints(provider).revocation
    if not url:
        return NOT_OFFERED
    told = []
    for hint, token in _unexpired(tokens, now):
        form, basic = token_endpoint.authenticated(provider, {"token": token, "token_type_hint": hint})
        told.append(_meaning(provider, _post(provider, url, form, basic), now))
    return REVOKED if REVOKED in told else told[0] if told else EXPIRED


def _at_google(provider: Provider, tokens: TokenSet, now: datetime) -> Told:
    """One token ends the grant with all others of it, and the call asks for no client authentication."""
    for _, token in _unexpired(tokens, now):
        return _meaning(provider, _post(provider, provider.revocation_endpoint or GOOGLE, {"token": token}, None), now)
    return EXPIRED


def _at_github(provider: Provider, tokens: TokenSet, now: datetime) -> Told:
    """GitHub takes access tokens only. Where a refresh token outlives one (a GitHub App's), it is turned into one first:
    that spends it, and the new pair ends with the call, or is nobody's.
    """
    held = dict(_unexpired(tokens, now))
    if "access_token" not in held:
        if "refresh_token" not in held:
            return EXPIRED
        try:
            tokens = refresh(provider, tokens, now=now)
        except NeedsReauthorization:
            return ALREADY_GONE
    api = discovery.endpoints(provider).userinfo.rstrip("/").rpartition("/")[0]
    answer = http.request(
        "DELETE",
        f"{api}/applications/{quote(provider.client_id, safe='')}/token",
        allow_private_network=provider.allow_private_network,
        headers={"Accept": "application/vnd.github+json"},
        json={"access_token": tokens.access_token},
        auth=(provider.client_id, client_secret(provider)),
        timeout_seconds=TIMEOUT_SECONDS,
        call=Call("revoke", provider.name),
    )
    if answer.status == 204:
        return REVOKED
    if answer.status in {404, 422}:  # no such token, or none of this app's
        return ALREADY_GONE
    raise _not_now(provider, answer, now)


_WAYS: Mapping[str, Callable[[Provider, TokenSet, datetime], Told]] = {
    Provider.Type.GITHUB: _at_github,
    Provider.Type.GOOGLE: _at_google,
}


def _unexpired(tokens: TokenSet, now: datetime) -> Iterator[tuple[str, str]]:
    """What is not over by itself yet, by its `token_type_hint`."""
    if tokens.refresh_token and (tokens.refresh_expires_at is None or tokens.refresh_expires_at > now):
        yield "refresh_token", tokens.refresh_token
    if tokens.expires_at is None or tokens.expires_at > now:
        yield "access_token", tokens.access_token


def _post(provider: Provider, url: str, form: Mapping[str, str], basic: tuple[str, str] | None) -> Answer:
    return http.request(
        "POST",
        url,
        allow_private_network=provider.allow_private_network,
        data=form,
        auth=basic,
        timeout_seconds=TIMEOUT_SECONDS,
        call=Call("revoke", provider.name),
    )


def _meaning(provider: Provider, answer: Answer, now: datetime) -> Told:
    refusal = _refusal(answer)
    if not refusal:
        return REVOKED
    if refusal in _GONE:
        return ALREADY_GONE
    if refusal == "unsupported_token_type":
        return UNSUPPORTED
    raise _not_now(provider, answer, now, refusal)


def _refusal(answer: Answer) -> str:
    """The error code of a refusal, empty for a success, `garbage` or `http_<status>` otherwise.

    What a success says does not matter (RFC 7009 s2.2), unless it is a page of somebody in between, no JSON though it
    should be, or an error that comes with 200.
    """
    good = 200 <= answer.status < 300
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    try:
        document = answer.json() if answer.body.strip() else {}
    except OutboundFailed:
        document = None
    if isinstance(document, dict):
        error = document.get("error")
        if isinstance(error, str) and error and answer.status < 500:
            return error
        if good and not error and document.get("ok") is not False:
            return ""
        return f"http_{answer.status}"
    if good and kind not in {"text/html", "application/json"}:
        return ""
    return "garbage" if good else f"http_{answer.status}"


def _not_now(provider: Provider, answer: Answer, now: datetime, refusal: str = "") -> TemporarilyUnavailable:
    """Why to try again, and when at the earliest (RFC 9110 s10.2.3)."""
    wait = _retry_after_seconds(answer, now)
    github_says_so = answer.status == 403 and (wait or answer.headers.get("X-RateLimit-Remaining") == "0")
    if answer.status == 429 or github_says_so:
        reason = "rate_limited"
    elif answer.status in {401, 403} or refusal in _OURS:
        reason, wait = "client_refused", max(wait, SLOWLY_SECONDS)
    else:
        reason = refusal if refusal == "garbage" else f"http_{answer.status}"
    return TemporarilyUnavailable(reason, provider=provider.name, retry_after_seconds=wait)


def _retry_after_seconds(answer: Answer, now: datetime) -> int:
    """From a number of seconds or a date; 0 where there is neither."""
    given = answer.headers.get("Retry-After", "").strip()
    if given.isascii() and given.isdigit():
        return min(int(given[:6]), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(given)
    except (ValueError, OverflowError):
        return 0
    seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return min(max(int(seconds), 0), MAX_RETRY_AFTER_SECONDS)
