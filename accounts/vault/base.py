"""The session and credential seam: what a vault backend does, and the values that cross it.

A backend is named by `settings.VAULT_BACKEND`; `accounts.vault.vault()` returns it. Every backend sits the contract
suite in `tests/contracts/`. Time is an argument (aware UTC), so nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

MAX_TOKEN_BYTES = 64 * 1024  # of each token, in UTF-8: Entra's with many groups pass 4 KiB, none known passes this
MAX_SCOPE_BYTES = 16 * 1024  # of all scopes together
ORPHAN_AGE = timedelta(hours=1)  # how long a sign-in that led to no session keeps its tokens


class VaultError(Exception):
    """What the vault refuses, and why; never carries a token."""


class SessionGone(VaultError):
    """There is no live session of this `tsid`: unknown, closed, idle too long, or past its end."""


class NotConnected(VaultError):
    """The session is live but has no credential for this provider."""


class Unstorable(VaultError, ValueError):
    """A value that the vault will not take: malformed, or not what it is said to be."""


class TooLarge(Unstorable):
    """A token of more than `MAX_TOKEN_BYTES`, or scopes of more than `MAX_SCOPE_BYTES`: refused, never truncated."""


class Damaged(VaultError):
    """A sealed value did not open: wrong key, swapped row, flipped bit, planted text. Refused loudly."""


@dataclass(frozen=True)
class TokenSet:
    """What a provider's token endpoint gave, as it gave it. `scopes` are those the provider says it granted."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    token_type: str = "Bearer"  # noqa: S105 - a type's name, not a token
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None
    obtained_at: datetime | None = None


@dataclass(frozen=True)
class CredentialState:
    """What may be known of a credential without opening it."""

    id: UUID
    user_id: UUID
    provider: str
    subject: str
    scopes: tuple[str, ...]
    version: int
    live: bool
    refreshable: bool
    expires_at: datetime | None
    dead_reason: str = ""


@dataclass(frozen=True)
class Approved:
    """A credential that a new session may use, within these upstream scopes."""

    credential_id: UUID
    provider: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class NewSession:
    """What an approval says. `idle_expires_at` starts as the code's end: a code never redeemed leaves nothing live.

    `approved` names each provider at most once. `user_agent` is cut to what is worth showing.
    """

    user_id: UUID
    client_id: str
    redirect_host: str
    resource: str
    scopes: tuple[str, ...]
    idle_expires_at: datetime
    expires_at: datetime
    approved: tuple[Approved, ...] = ()
    address: str | None = None
    user_agent: str = ""


@dataclass(frozen=True)
class Session:
    """A live session, as read by `alive`. `dead_providers` name linked credentials that need a new sign-in.

    Live says nothing about the person: whoever asks decides what an inactive one may still do.
    """

    tsid: str
    user_id: UUID
    user_is_active: bool
    client_id: str
    resource: str
    scopes: tuple[str, ...]
    idle_expires_at: datetime
    expires_at: datetime
    dead_providers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One session's view of one credential, opened: `session` is live, `approved_scopes` are the link's."""

    session: Session
    credential: CredentialState
    approved_scopes: tuple[str, ...]
    tokens: TokenSet = field(repr=False)


class Sessions(Protocol):
    """Token sessions."""

    def open(self, new: NewSession, *, now: datetime) -> str:
        """Open a session with its links; returns its `tsid` (at least 128 random bits). One transaction.

        Raises `NotConnected` where an approved credential is not this person's, not this provider's, or was destroyed
        in the meantime (its last session ended while this one was on its way): connect again.
        """

    def alive(self, tsid: str, *, now: datetime) -> Session:
        """The live session, in one read. Raises `SessionGone`."""

    def touch(self, tsid: str, *, idle_expires_at: datetime, now: datetime) -> bool:
        """Note a use and move the idle end (never past the absolute end). False where no live session was touched: ended
        ones stay ended."""

    def close(self, tsid: str, *, reason: str, now: datetime) -> bool:
        """End a session, drop its links and destroy each credential no other live session uses: one transaction.

        Idempotent; True for the call that ended it, also where it had run out by itself. Raises nothing for an unknown
        `tsid`.
        """

    def of_user(self, user_id: UUID) -> Sequence[str]:
        """The tsids of a person's sessions that are not closed, newest first."""

    def of_client(self, client_id: str) -> Sequence[str]:
        """The tsids of a client's sessions that are not closed, newest first."""

    def sweep(self, *, now: datetime, limit: int) -> int:
        """Close sessions past their end, as `close` does, and destroy credentials that no session was opened with
        within `ORPHAN_AGE` of their sign-in. Takes `limit` rows at most, in bounded transactions; returns how many.
        """


class Credentials(Protocol):
    """Sealed upstream tokens."""

    def keep(self, user_id: UUID, provider: str, subject: str, tokens: TokenSet, *, now: datetime) -> CredentialState:
        """Store what a sign-in gave: makes the credential, or renews it and brings it back to life.

        A response without a refresh or ID token keeps the old one (Google gives a refresh token once), except that a
        dead credential's refresh token is dropped: the provider has refused it. A refresh under way loses to this: its
        `replace` answers False. Raises `TooLarge`, `Unstorable`.
        """

    def of_user(self, user_id: UUID, provider: str | None = None) -> Sequence[CredentialState]:
        """A person's credentials, the latest sign-in first, without opening them."""

    def tokens(self, tsid: str, provider: str, *, now: datetime) -> Entry:
        """Session, link, credential and opened tokens in one statement. Raises `SessionGone`, `NotConnected`, `Damaged`.

        A dead credential is returned as well (`credential.live`): the caller decides, and may need its scopes.
        """

    def lease(self, credential_id: UUID, *, version_seen: int, holder: str, until: datetime, now: datetime) -> bool:
        """Claim the right to refresh: one conditional write. False where another holds a lease, the version moved on, or
        the credential is dead or gone. Give it longer than the provider may take: a lease that runs out can be claimed by
        another.
        """

    def replace(self, credential_id: UUID, tokens: TokenSet, *, version_seen: int, now: datetime) -> bool:
        """Store refreshed tokens and end the lease. False (and nothing stored) where the version moved on.

        An omitted refresh or ID token keeps the old one, and so do omitted scopes (RFC 6749 section 5.1). Raises
        `TooLarge`, `Unstorable`, `Damaged`.
        """

    def release(self, credential_id: UUID, *, holder: str) -> None:
        """Give a lease back without a result; somebody else may try at once."""

    def mark_dead(self, credential_id: UUID, *, version_seen: int, reason: str, now: datetime) -> bool:
        """The provider no longer honours it; `keep` brings it back. Ends the lease. False where the version moved on."""


class TokenVault(Protocol):
    """Both, because ending a session and destroying its credential must be one transaction."""

    @property
    def sessions(self) -> Sessions: ...

    @property
    def credentials(self) -> Credentials: ...

    def ping(self) -> None:
        """Raise where the store cannot be reached."""
