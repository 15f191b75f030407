"""What goes wrong at, or on the way to, a provider.

Each error carries the provider's name (empty where no provider is involved, as for a client's metadata document)
and a short machine `reason` of ours. A provider's own words are not kept: they reach no log, no client, no page.
"""

from __future__ import annotations

from collections.abc import Sequence


class UpstreamError(Exception):
    """Base of all. `reason` is snake_case and safe to log."""

    def __init__(self, reason: str, *, provider: str = "") -> None:
        super().__init__(f"{provider}: {reason}" if provider else reason)
        self.reason = reason
        self.provider = provider


class OutboundRefused(UpstreamError):
    """The URL, its scheme, port or address is not one we call; decided before any connection."""


class OutboundFailed(UpstreamError):
    """A call that was allowed gave no usable answer.

    `kind` is timeout, connection, proxy, tls, dns, too_large, garbage or request.
    """

    @property
    def kind(self) -> str:
        return self.reason


class SignInRefused(UpstreamError):
    """The answer to a sign-in is not acceptable: a bad ID token, a mix-up, an identity we cannot use."""


class NotAllowed(UpstreamError):
    """The operator's rules do not let this person in, or an identity belongs to somebody else."""


class SignInCancelled(UpstreamError):
    """The person declined at the provider."""


class NotConnected(UpstreamError):
    """The session has no credential for this provider."""


class NeedsReauthorization(UpstreamError):
    """The provider no longer honours what we hold; the person has to sign in there again."""


class MissingScope(UpstreamError):
    """The credential lacks scopes that were asked for; `missing_scopes` names them in the order asked."""

    def __init__(self, missing_scopes: Sequence[str], *, provider: str = "") -> None:
        super().__init__("missing_scope", provider=provider)
        self.missing_scopes = tuple(missing_scopes)


class TemporarilyUnavailable(UpstreamError):
    """The provider cannot be asked now; what we hold is untouched. Try again after `retry_after_seconds`."""

    def __init__(self, reason: str, *, provider: str = "", retry_after_seconds: int = 5) -> None:
        super().__init__(reason, provider=provider)
        self.retry_after_seconds = retry_after_seconds
