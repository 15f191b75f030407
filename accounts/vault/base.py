"""The session and credential seam: what a vault backend does, and the values that cross it.

A backend is named by `settings.VAULT_BACKEND`; `accounts.vault.vault()` returns it. Every backend sits the contract
suite in `tests/contracts/`. Time is an argument (aware UTC), so nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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


class SealingUnavailable(VaultError):
    """What seals and opens cannot be asked now (a KMS that does not answer): nothing is known to be damaged. Try again."""


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
    """A credential that a session may use, within these upstream scopes."""

    credential_id: UUID
    provider: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class NewSession:
    """What an approval says. `idle_expires_at` starts as the code's end: a code never redeemed leaves nothing live.

    `approved` names each provider at most once. `user_agent` is cut to what is worth showing. `signed_in_with` is the
    upstream whose sign-in it began with, `upstream_sid` that upstream's own session, if it named one.
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
    signed_in_with: str = ""
    upstream_sid: str = ""


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
    redirect_host: str = ""
    dead_providers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One session's view of one credential, opened: `session` is live, `approved_scopes` are the link's."""

    session: Session
    credential: CredentialState
    approved_scopes: tuple[str, ...]
    tokens: TokenSet = field(repr=False)


@dataclass(frozen=True)
class Entries:
    """One session's view of all its credentials: by provider, opened; `damaged` names those that did not open."""

    session: Session
    by_provider: Mapping[str, Entry]
    damaged: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Closed:
    """What an ending did: the providers whose credential was destroyed with it, and those of them that are to be told.

    Where a session ended: whose it was, with which client and for which resource.
    """

    destroyed: tuple[str, ...] = ()
    queued: tuple[str, ...] = ()
    user_id: UUID | None = field(default=None, compare=False)
    client_id: str = field(default="", compare=False)
    resource: str = field(default="", compare=False)


@dataclass(frozen=True)
class Ended:
    """A session that is over, and when it ended."""

    tsid: str
    ended_at: datetime


@dataclass(frozen=True)
class Expiring:
    """A credential whose refresh token ends unused soon, and a live session of its person that may use it."""

    credential_id: UUID
    provider: str
    tsid: str
    refresh_expires_at: datetime


@dataclass(frozen=True)
class Revocable:
    """A destroyed credential whose provider is to be told; `attempts` counts the one it was handed out for."""

    id: UUID
    user_id: UUID
    provider: str
    subject: str
    tsid: str
    attempts: int
    receipt: UUID | None
    tokens: TokenSet = field(repr=False)


class Sessions(Protocol):
    """Token sessions.

    Where the last link of a credential goes, the credential is destroyed. `revoke_at` names the providers that are to be
    told: what is needed for that goes into the queue of `Revocations` in the same transaction, under the cascade's `receipt`.
    """

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

    def link(self, tsid: str, approved: Approved, *, now: datetime, revoke_at: Collection[str] = ()) -> bool:
        """Let a live session use one more credential, or the one it has with more scopes: one transaction.

        The link's scopes become the union of what they were and `approved.scopes`. A link to another credential of the
        provider moves to this one, and the other is destroyed as in `close` if that was its last. False where there is
        no live session; raises `NotConnected` as `open` does.
        """

    def use(self, tsid: str, *, idle_expires_at: datetime, now: datetime) -> Session:
        """The live session, `touch`ed in the same statement, so that nothing ends it in between. Raises `SessionGone`.

        Where it has `dead_providers` it is not touched: the caller decides whether it can be used without them.
        """

    def close(
        self, tsid: str, *, reason: str, now: datetime, revoke_at: Collection[str] = (), receipt: UUID | None = None
    ) -> Closed | None:
        """End a session, drop its links and destroy each credential no other live session uses: one transaction.

        Idempotent; None but for the call that ended it, also where it had run out by itself. Raises nothing for an
        unknown `tsid`.
        """

    def of_user(self, user_id: UUID) -> Sequence[str]:
        """The tsids of a person's sessions that are not closed, newest first."""

    def of_clients(self, client_ids: Collection[str], *, limit: int | None = None) -> Sequence[str]:
        """The tsids of the sessions of some clients that are not closed, newest first, `limit` at most."""

    def least_used(self, user_id: UUID, *, beyond: int, client_id: str = "") -> Sequence[str]:
        """The tsids of a person's open sessions (with one client, where named) beyond the `beyond` used last."""

    def of_resource(self, resource: str, *, limit: int | None = None) -> Sequence[str]:
        """The tsids of a resource's sessions that are not closed, newest first, `limit` at most."""

    def of_upstream(self, provider: str, *, resources: Collection[str], limit: int | None = None) -> Sequence[str]:
        """The tsids of the sessions of these resources that are linked to an account at a provider and not closed, of
        everybody, `limit` at most."""

    def of_everybody(self, *, opened_before: datetime) -> Iterable[str]:
        """The tsids of all sessions opened before a moment that are not closed, in batches: there may be millions."""

    def of_connection(self, user_id: UUID, provider: str, *, resources: Collection[str] | None = None) -> Sequence[str]:
        """The tsids of a person's sessions (of these resources, where given) that are linked to their account at a
        provider and not closed, newest first."""

    def of_sign_in(self, provider: str, *, user_id: UUID) -> Sequence[str]:
        """The tsids of a person's sessions that began with a sign-in at a provider and are not closed, newest first."""

    def of_upstream_session(self, provider: str, sid: str) -> Mapping[str, UUID]:
        """The tsids of the sessions that began in this session of a provider's and are not closed, and whose they are."""

    def would_destroy(self, tsids: Collection[str], *, now: datetime) -> Sequence[str]:
        """The provider of each credential that closing these sessions would destroy, sorted."""

    def ended(self, resources: Collection[str], *, since: datetime, limit: int) -> Sequence[Ended]:
        """Sessions of these resources that were closed at or after `since`, the earliest first, `limit` at most."""

    def sweep(self, *, now: datetime, limit: int, revoke_at: Collection[str] = ()) -> int:
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

    def people_at(self, provider: str, *, limit: int | None = None) -> Sequence[UUID]:
        """Whoever has a credential at this provider, `limit` at most."""

    def of_user(self, user_id: UUID, provider: str | None = None) -> Sequence[CredentialState]:
        """A person's credentials, the latest sign-in first, without opening them."""

    def destroy(
        self,
        user_id: UUID,
        provider: str,
        *,
        now: datetime,
        revoke_at: Collection[str] = (),
        receipt: UUID | None = None,
    ) -> Closed:
        """Destroy a person's credentials at a provider and every link to them: one transaction. Their sessions live on."""

    def tokens(self, tsid: str, provider: str, *, now: datetime) -> Entry:
        """Session, link, credential and opened tokens in one statement. Raises `SessionGone`, `NotConnected`, `Damaged`.

        A dead credential is returned as well (`credential.live`): the caller decides, and may need its scopes.
        """

    def all_tokens(self, tsid: str, *, now: datetime, only: str | None = None) -> Entries:
        """As `tokens`, for every provider the session is linked to, or the `only` one, in one statement.

        Raises `SessionGone`; what is not connected or does not open is not among the entries.
        """

    def expiring(self, *, now: datetime, until: datetime, limit: int) -> Sequence[Expiring]:
        """Live credentials whose refresh token ends between `now` and `until`, the first to end first.

        Only those of a live session of an active person that was used since the tokens were last obtained: what nobody
        uses is left to end, and is not kept alive for ever by its own refreshes. None with a lease under way.
        """

    def lease(self, credential_id: UUID, *, version_seen: int, holder: str, until: datetime, now: datetime) -> bool:
        """Claim the right to refresh: one conditional write. False where another holds a lease, the version moved on, or
        the credential is dead or gone. Give it longer than the provider may take: a lease that runs out can be claimed by
        another.
        """

    def replace(
        self, credential_id: UUID, tokens: TokenSet, *, version_seen: int, now: datetime, dead_reason: str = ""
    ) -> bool:
        """Store refreshed tokens and end the lease. False (and nothing stored) where the version moved on.

        With `dead_reason` they are stored dead, in the same write: kept, and at no time given to anybody. An omitted
        refresh or ID token keeps the old one, and so do omitted scopes (RFC 6749 section 5.1). Raises
        `TooLarge`, `Unstorable`, `Damaged`.
        """

    def release(self, credential_id: UUID, *, holder: str) -> None:
        """Give a lease back without a result; somebody else may try at once."""

    def mark_dead(self, credential_id: UUID, *, version_seen: int, reason: str, now: datetime) -> bool:
        """The provider no longer honours it; `keep` brings it back. Ends the lease. False where the version moved on."""


class Revocations(Protocol):
    """The queue of what providers are still to be told; `Sessions` fills it, `upstream.revoke` works it."""

    def claim(self, *, now: datetime, until: datetime, limit: int) -> Sequence[Revocable]:
        """Take what is due, oldest first, opened: nobody else gets it before `until`. What does not open is finished as
        failed, loudly, and kept as it is."""

    def finish(self, revocation_id: UUID, *, state: str, outcome: str, now: datetime) -> None:
        """Note how it ended (`done`, `not_needed` or `failed`) and destroy the tokens; the row stays as the receipt."""

    def postpone(self, revocation_id: UUID, *, outcome: str, until: datetime) -> None:
        """Try again then; `outcome` says why it did not work."""


class TokenVault(Protocol):
    """All three, because ending a session, destroying its credential and queueing what follows must be one transaction."""

    @property
    def sessions(self) -> Sessions: ...

    @property
    def credentials(self) -> Credentials: ...

    @property
    def revocations(self) -> Revocations: ...

    def ping(self) -> None:
        """Raise where the store cannot be reached."""
