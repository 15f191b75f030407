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
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from accounts import audit, browser_sessions
from accounts.models import User
from accounts.vault import vault
from accounts.vault.base import Closed
from authserver.models import App, Client, Consent, RefreshToken, Resource, ResourceUpstream
from upstream.revoke import providers_to_tell


@dataclass
class Receipt:
    """What a cascade did: how many sessions and refresh tokens it ended, and how many credentials at which provider it
    destroyed and queued for revocation there. `id` finds its steps in the audit trail."""

    id: UUID = field(default_factory=uuid4)
    sessions: int = 0
    refresh_tokens: int = 0
    destroyed: Counter[str] = field(default_factory=Counter)
    queued: Counter[str] = field(default_factory=Counter)

    def add(self, closed: Closed) -> None:
        self.destroyed.update(closed.destroyed)
        self.queued.update(closed.queued)


@dataclass(frozen=True)
class Why:
    """`reason` in a word or two, `words` those of an operator who was asked for them; `actor` and `address`: who, from where."""

    reason: str
    actor: str = ""
    address: str | None = None
    words: str = ""


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


def revoke_client(client: Client, *, reason: str, actor: str = "", address: str | None = None) -> Receipt:
    """End every session of a client and forget the consents given to it."""
    Consent.objects.filter(client=client).delete()
    sessions = vault().sessions
    why = Why(reason, actor, address)
    return _over_all("client", client.client_id, lambda: sessions.of_client(client.client_id), why)


def sessions_of_app(app: App) -> Iterable[str]:
    """The tsids of every client of an app and of its aliases."""
    clients = Client.objects.filter(app__in=_with_aliases(app))
    for client_id in clients.order_by("pk").values_list("client_id", flat=True):
        yield from vault().sessions.of_client(client_id)


def revoke_app(
    app: App, *, reason: str, actor: str = "", address: str | None = None, receipt: UUID | None = None
) -> Receipt:
    """End every session of every client of an app and of its aliases, and forget the consents given to them.

    With a `receipt`, the steps are added to that one.
    """
    Consent.objects.filter(client__app__in=_with_aliases(app)).delete()
    why = Why(reason, actor, address)
    return _over_all("app", str(app.pk), lambda: sessions_of_app(app), why, receipt_id=receipt)


def _with_aliases(app: App) -> list[int]:
    return [app.pk, *App.objects.filter(merged_into=app).values_list("pk", flat=True)]


def revoke_user(user: User, *, reason: str, actor: str = "", address: str | None = None) -> Receipt:
    """End every session of a person."""
    why = Why(reason, actor, address)
    return _over_all("user", str(user.pk), lambda: vault().sessions.of_user(user.pk), why, user_id=user.pk)


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

    def tell(receipt: Receipt) -> None:
        if browsers:
            audit.record("browser_session.ended", reason=reason, actor=actor, address=address, user_id=user_id,
                         upstream=upstream, receipt=receipt.id, browsers=browsers)  # fmt: skip

    why = Why(reason, actor, address)
    return _over_all("sign_ins", upstream, tsids, why, user_id=user_id, then=tell)


def revoke_access(user: User, client_id: str, *, reason: str, actor: str = "", address: str | None = None) -> Receipt:
    """End every session that a person has with a client, and forget what they approved for it: it has to ask again."""
    Consent.objects.filter(user=user, client__client_id=client_id).delete()
    why = Why(reason, actor, address)
    return _over_all("access", client_id, partial(sessions_with, user.pk, client_id), why, user_id=user.pk)


def sessions_with(user_id: UUID, client_id: str) -> Sequence[str]:
    """The tsids of a person's sessions with a client."""
    return vault().sessions.least_used(user_id, beyond=0, client_id=client_id)


def revoke_resource(resource: Resource, *, reason: str, actor: str = "", address: str | None = None) -> Receipt:
    """End every session of a resource."""
    why = Why(reason, actor, address)
    return _over_all("resource", resource.identifier, lambda: vault().sessions.of_resource(resource.identifier), why)


def revoke_connection(
    user: User, provider: str, *, reason: str, actor: str = "", address: str | None = None
) -> Receipt:
    """End a person's connection to an upstream: its credential is destroyed, and so is every session that needs it.

    Sessions that can do without it live on, and their servers hear `not_connected`.
    """
    why = Why(reason, actor, address)

    def destroy(receipt: Receipt) -> None:
        closed = vault().credentials.destroy(
            user.pk, provider, now=timezone.now(), revoke_at=providers_to_tell(), receipt=receipt.id
        )
        receipt.add(closed)
        audit.record("connection.revoked", reason=reason, actor=actor, address=address, user_id=user.pk,
                     upstream=provider, receipt=receipt.id, destroyed=len(closed.destroyed))  # fmt: skip

    needing = partial(sessions_needing, user.pk, provider)
    return _over_all("connection", provider, needing, why, user_id=user.pk, then=destroy)


def sessions_needing(user_id: UUID, provider: str) -> Sequence[str]:
    """The tsids of a person's sessions that cannot do without their connection to an upstream."""
    needing = ResourceUpstream.objects.filter(provider__name=provider, required=True)
    resources = set(needing.values_list("resource__identifier", flat=True))
    return vault().sessions.of_connection(user_id, provider, resources=resources)


def revoke_upstream(provider: str, *, reason: str, actor: str = "", address: str | None = None) -> list[Receipt]:
    """End everybody's connection to an upstream: a receipt for each person."""
    people = vault().credentials.people_at(provider)
    return [
        revoke_connection(user, provider, reason=reason, actor=actor, address=address)
        for user in User.objects.filter(pk__in=people).order_by("pk").iterator(chunk_size=500)
    ]


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
    for tsid in tsids():
        _end(tsid, why, receipt, revoke_at)
    then(receipt)
    note(f"{kind}.revoked", sessions=receipt.sessions, refresh_tokens=receipt.refresh_tokens,
         destroyed=dict(receipt.destroyed), queued=dict(receipt.queued))  # fmt: skip
    return receipt


def _end(tsid: str, why: Why, receipt: Receipt, revoke_at: frozenset[str]) -> bool:
    """Five statements, and one more where a provider is to be told."""
    now = timezone.now()
    revoked = RefreshToken.objects.filter(tsid=tsid, revoked=None).update(
        revoked=now, replay_checksum="", replay_sealed="", replay_until=None
    )
    closed = vault().sessions.close(tsid, reason=why.reason, now=now, revoke_at=revoke_at, receipt=receipt.id)
    receipt.refresh_tokens += revoked
    if closed is None:
        return False
    receipt.sessions += 1
    receipt.add(closed)
    audit.record("session.revoked", tsid=tsid, reason=why.reason, actor=why.actor, address=why.address, now=now,
                 user_id=closed.user_id, client_id=closed.client_id, resource=closed.resource, receipt=receipt.id,
                 refresh_tokens=revoked, destroyed=list(closed.destroyed), queued=list(closed.queued))  # fmt: skip
    return True
