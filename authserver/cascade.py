"""Ending things: the one list of what dies, in order. Every way to end something calls this.

The refresh lineage dies first, then, in one transaction, the session with its links and unused credentials. The session's
row is what every other check asks, a code's redemption included: at any crash point what is left cannot renew itself and
opens nothing. What a provider is to be told of a credential's end is queued in that same transaction, and
`upstream.revoke` works the queue.

Each step is a row of the audit trail, those that the queue takes later included, and all rows of one call carry the same
`receipt`: that is what `authserver.receipts` reads. A cascade over many sessions begins with a row and ends with one; one
that was killed in between lacks the second, has ended whatever it says it has, and may be called again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from accounts import audit, browser_sessions
from accounts.models import User
from accounts.prepared import slot
from accounts.prepared_writes import PreparedUpdate
from accounts.vault import vault
from accounts.vault.base import Closed
from authserver.models import App, Client, Consent, RefreshToken, Resource, ResourceUpstream
from upstream.revoke import providers_to_tell

_END_LINEAGE = PreparedUpdate(
    lambda: RefreshToken.objects.filter(tsid=slot("tsid"), revoked=None),
    "revoked", "replay_checksum", "replay_sealed", "replay_until",
)  # fmt: skip
CLIENTS = 500
"""Of an app, whose sessions are looked for in one statement."""


@dataclass
class Receipt:
    """What a cascade did: how many sessions and refresh tokens it ended, and how many credentials at which provider it
    destroyed and queued for revocation there. `id` finds its steps in the audit trail. `is_whole` is False where it was
    told to end so many at most, and there are more: call it again."""

    id: UUID = field(default_factory=uuid4)
    sessions: int = 0
    refresh_tokens: int = 0
    destroyed: Counter[str] = field(default_factory=Counter)
    queued: Counter[str] = field(default_factory=Counter)
    is_whole: bool = True

    def add(self, closed: Closed) -> None:
        self.destroyed.update(closed.destroyed)
        self.queued.update(closed.queued)


@dataclass(frozen=True)
class Why:
    """`reason` in a word or two, `words` those of an operator who was asked for them; `actor` and `address`: who, from where.

    `most`: how many sessions a call ends at most, for whoever waits for its answer.
    """

    reason: str
    actor: str = ""
    address: str | None = None
    words: str = ""
    most: int | None = None

    @property
    def limit(self) -> int | None:
        """How many to look for: one more says that there are more."""
        return None if self.most is None else self.most + 1


def revoke_session(tsid: str, *, reason: str, actor: str = "", address: str | None = None) -> Receipt | None:
    """End one token session for good. Idempotent; None where it had been ended before."""
    receipt = Receipt()
    ended = _end(tsid, Why(reason, actor, address), receipt, providers_to_tell())
    return receipt if ended else None


def revoke_sessions(
    tsids: Sequence[str], *, reason: str, actor: str = "", address: str | None = None, words: str = ""
) -> Receipt:
    """End these sessions, for what an operator said of them in `words`."""
    return _over_all("sessions", f"{len(tsids)} chosen", lambda: tsids, Why(reason, actor, address, words))


def revoke_client(
    client: Client,
    *,
    reason: str,
    actor: str = "",
    address: str | None = None,
    words: str = "",
    most: int | None = None,
) -> Receipt:
    """End every session of a client and forget the consents given to it."""
    Consent.objects.filter(client=client).delete()
    why = Why(reason, actor, address, words, most)
    own = partial(vault().sessions.of_clients, [client.client_id], limit=why.limit)
    return _over_all("client", client.client_id, own, why)


def revoke_app(
    app: App,
    *,
    reason: str,
    actor: str = "",
    address: str | None = None,
    words: str = "",
    most: int | None = None,
    receipt: UUID | None = None,
) -> Receipt:
    """End every session of every client of an app and of its aliases, and forget the consents given to them.

    With a `receipt`, the steps are added to that one.
    """
    Consent.objects.filter(client__app__in=_with_aliases(app)).delete()
    why = Why(reason, actor, address, words, most)
    own = partial(sessions_of_app, app, limit=why.limit)
    return _over_all("app", str(app.pk), own, why, receipt_id=receipt)


def sessions_of_app(app: App, *, limit: int | None = None) -> Iterable[str]:
    """The tsids of every client of an app and of its aliases, some clients at a time."""
    ids = list(Client.objects.filter(app__in=_with_aliases(app)).order_by("pk").values_list("client_id", flat=True))
    for begin in range(0, len(ids), CLIENTS):
        yield from vault().sessions.of_clients(ids[begin : begin + CLIENTS], limit=limit)


def _with_aliases(app: App) -> list[int]:
    return [app.pk, *App.objects.filter(merged_into=app).values_list("pk", flat=True)]


def revoke_user(
    user: User,
    *,
    reason: str,
    actor: str = "",
    address: str | None = None,
    words: str = "",
    most: int | None = None,
    browsers_too: bool = False,
) -> Receipt:
    """End every session of a person; with `browsers_too` their browser sessions as well.

    Those go first: afterwards nothing can begin another token session.
    """
    why = Why(reason, actor, address, words, most)
    ended = browser_sessions.end_all(user.pk) if browsers_too else 0
    receipt = _over_all("user", str(user.pk), lambda: vault().sessions.of_user(user.pk), why, user_id=user.pk)
    _tell_of_browsers(ended, why, receipt, user.pk)
    return receipt


def revoke_sign_ins(
    upstream: str, user_id: UUID, *, sid: str, reason: str, actor: str = "", address: str | None = None
) -> Receipt:
    """End every session that a person's sign-ins at an upstream began; of its session `sid` alone, unless that is empty.

    The browser sessions go first: afterwards nothing can begin another token session.
    """
    browsers, sessions = 0, vault().sessions

    def tsids() -> Sequence[str]:
        nonlocal browsers
        browsers = browser_sessions.end(upstream, user_id, sid=sid)
        if not sid:
            return sessions.of_sign_in(upstream, user_id=user_id)
        return [tsid for tsid, whose in sessions.of_upstream_session(upstream, sid).items() if whose == user_id]

    why = Why(reason, actor, address)

    def tell(receipt: Receipt) -> None:
        _tell_of_browsers(browsers, why, receipt, user_id, upstream)

    return _over_all("sign_ins", upstream, tsids, why, user_id=user_id, then=tell)


def revoke_access(user: User, client_id: str, *, reason: str, actor: str = "", address: str | None = None) -> Receipt:
    """End every session that a person has with a client, and forget what they approved for it: it has to ask again."""
    Consent.objects.filter(user=user, client__client_id=client_id).delete()
    why = Why(reason, actor, address)
    return _over_all("access", client_id, partial(sessions_with, user.pk, client_id), why, user_id=user.pk)


def sessions_with(user_id: UUID, client_id: str) -> Sequence[str]:
    """The tsids of a person's sessions with a client."""
    return vault().sessions.least_used(user_id, beyond=0, client_id=client_id)


def revoke_resource(
    resource: Resource,
    *,
    reason: str,
    actor: str = "",
    address: str | None = None,
    words: str = "",
    most: int | None = None,
) -> Receipt:
    """End every session of a resource."""
    why = Why(reason, actor, address, words, most)
    own = partial(vault().sessions.of_resource, resource.identifier, limit=why.limit)
    return _over_all("resource", resource.identifier, own, why)


def revoke_connection(
    user: User, provider: str, *, reason: str, actor: str = "", address: str | None = None
) -> Receipt:
    """End a person's connection to an upstream: its credential is destroyed, and so is every session that needs it.

    Sessions that can do without it live on, and their servers hear `not_connected`.
    """
    why = Why(reason, actor, address)

    def destroy(receipt: Receipt) -> None:
        _destroy_connection(user.pk, provider, why, receipt, providers_to_tell())

    needing = partial(sessions_needing, user.pk, provider)
    return _over_all("connection", provider, needing, why, user_id=user.pk, then=destroy)


def sessions_needing(user_id: UUID, provider: str) -> Sequence[str]:
    """The tsids of a person's sessions that cannot do without their connection to an upstream."""
    return vault().sessions.of_connection(user_id, provider, resources=_resources_needing(provider))


def revoke_upstream(
    provider: str, *, reason: str, actor: str = "", address: str | None = None, words: str = "", most: int | None = None
) -> Receipt:
    """End every session that needs an upstream, and then whatever connection to it is left: each is a step of the one
    receipt."""
    why = Why(reason, actor, address, words, most)

    def destroy(receipt: Receipt) -> None:
        people, revoke_at = vault().credentials.people_at(provider, limit=why.limit), providers_to_tell()
        receipt.is_whole = most is None or len(people) <= most
        for user_id in people[:most]:
            _destroy_connection(user_id, provider, why, receipt, revoke_at)

    needing = partial(everybodys_sessions_needing, provider, limit=why.limit)
    return _over_all("connections", provider, needing, why, then=destroy)


def everybodys_sessions_needing(provider: str, *, limit: int | None = None) -> Sequence[str]:
    """The same of everybody."""
    return vault().sessions.of_upstream(provider, resources=_resources_needing(provider), limit=limit)


def _resources_needing(provider: str) -> set[str]:
    needing = ResourceUpstream.objects.filter(provider__name=provider, required=True)
    return set(needing.values_list("resource__identifier", flat=True))


def _destroy_connection(user_id: UUID, provider: str, why: Why, receipt: Receipt, revoke_at: frozenset[str]) -> None:
    closed = vault().credentials.destroy(user_id, provider, now=timezone.now(), revoke_at=revoke_at, receipt=receipt.id)
    receipt.add(closed)
    audit.record("connection.revoked", reason=why.reason, actor=why.actor, address=why.address, user_id=user_id,
                 upstream=provider, receipt=receipt.id, destroyed=len(closed.destroyed))  # fmt: skip


def _tell_of_browsers(ended: int, why: Why, receipt: Receipt, user_id: UUID, upstream: str = "") -> None:
    if ended:
        audit.record("browser_session.ended", reason=why.reason, actor=why.actor, address=why.address, user_id=user_id,
                     upstream=upstream, receipt=receipt.id, browsers=ended)  # fmt: skip


def revoke_everything(*, opened_before: datetime, reason: str, actor: str = "") -> Receipt:
    """End every session opened before a moment, whoever's, sign everybody out of every browser, and forget what people
    approved: whoever goes on asks them anew. For a restored backup, in which what was ended since lives again.
    """
    Consent.objects.all().delete()
    browsers = browser_sessions.end_everybodys()

    def tell(receipt: Receipt) -> None:
        audit.record("browser_session.ended", reason=reason, actor=actor, receipt=receipt.id, browsers=browsers)

    before = partial(vault().sessions.of_everybody, opened_before=opened_before)
    return _over_all(
        "everything", f"opened before {opened_before:%Y-%m-%dT%H:%M:%S%z}", before, Why(reason, actor), then=tell
    )


def _over_all(
    kind: str,
    target: str,
    tsids: Callable[[], Iterable[str]],
    why: Why,
    *,
    user_id: UUID | None = None,
    then: Callable[[Receipt], None] = lambda receipt: None,
    receipt_id: UUID | None = None,
) -> Receipt:
    """Each session in its own transaction: what is ended stays ended, whatever happens to the next."""
    receipt, revoke_at = Receipt(receipt_id or uuid4()), providers_to_tell()

    def note(event: str, **detail: Any) -> None:
        audit.record(event, reason=why.words or why.reason, actor=why.actor, address=why.address, user_id=user_id,
                     receipt=receipt.id, target=target[:255], **detail)  # fmt: skip

    note(f"{kind}.revoking")
    for number, tsid in enumerate(tsids()):
        if number == why.most:
            receipt.is_whole = False
            break
        _end(tsid, why, receipt, revoke_at)
    if receipt.is_whole:
        then(receipt)
    note(f"{kind}.revoked", sessions=receipt.sessions, refresh_tokens=receipt.refresh_tokens,
         destroyed=dict(receipt.destroyed), queued=dict(receipt.queued))  # fmt: skip
    return receipt


def _end(tsid: str, why: Why, receipt: Receipt, revoke_at: frozenset[str]) -> bool:
    """Five statements, and one more where a provider is to be told, and where there was no lineage yet: a code may have
    been redeemed meanwhile, and none can be now."""
    now = timezone.now()
    lineage = partial(_END_LINEAGE.run, tsid=tsid, revoked=now, replay_checksum="", replay_sealed="", replay_until=None)
    revoked = lineage()
    closed = vault().sessions.close(tsid, reason=why.reason, now=now, revoke_at=revoke_at, receipt=receipt.id)
    if closed is not None and not revoked:
        revoked = lineage()
    receipt.refresh_tokens += revoked
    if closed is None:
        return False
    receipt.sessions += 1
    receipt.add(closed)
    audit.record("session.revoked", tsid=tsid, reason=why.reason, actor=why.actor, address=why.address, now=now,
                 user_id=closed.user_id, client_id=closed.client_id, resource=closed.resource, receipt=receipt.id,
                 refresh_tokens=revoked, destroyed=list(closed.destroyed), queued=list(closed.queued))  # fmt: skip
    return True
