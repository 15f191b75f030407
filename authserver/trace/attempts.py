"""Attempts, put together from the rows that they left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.urls import reverse

from accounts.models import AuditEvent, TokenSession
from authserver.models import Client, Grant, PendingAuthorization, Refusal
from authserver.refusals import known_as
from upstream.models import Visit

MOST = 25
AFTER_THE_CODE = timedelta(minutes=10)
"""A refusal at the token endpoint belongs to a code that was given so shortly before."""
RELEASES = 20


@dataclass
class Attempt:
    """One attempt, as far as it came. Without `pending`, `session` and `refusals` a client that only registered."""

    client_id: str
    client: Client | None = None
    pending: PendingAuthorization | None = None
    session: TokenSession | None = None
    grant: Grant | None = None
    visits: list[Visit] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    releases: list[AuditEvent] = field(default_factory=list)
    has_upstreams: bool = False
    repeated: int = 1

    @property
    def at(self) -> datetime:
        """When it began, as far as is known."""
        if self.pending:
            return self.pending.approved_at
        if self.session:
            return self.session.created_at
        if self.refusals:
            return self.refusals[0].at
        return self.client.created if self.client else datetime.min.replace(tzinfo=UTC)

    @property
    def code_at(self) -> datetime | None:
        """When a code was given."""
        if self.session:
            return self.session.created_at
        return self.pending.finished_at if self.pending else None

    @property
    def has_tokens(self) -> bool:
        """The code was redeemed. Where its row is gone, a session that outlived it says so."""
        if self.grant:
            return self.grant.claimed_at is not None
        return self.session is not None and self.session.last_used_at > self.session.created_at


def of_clients(clients: Sequence[Client], client_ids: Iterable[str] = ()) -> list[Attempt]:
    """The newest attempts of these clients, and of ids that are no client's here (any more)."""
    ids = {client.client_id for client in clients} | set(client_ids)
    pendings = PendingAuthorization.objects.filter(client__in=clients).order_by("-approved_at")[:MOST]
    sessions = TokenSession.objects.filter(client_id__in=ids).order_by("-created_at")[:MOST]
    refusals = Refusal.objects.filter(client_id__in=[known_as(one) for one in ids if one]).order_by("-id")[:MOST]
    found = _together(list(pendings), list(sessions), list(refusals), {client.client_id: client for client in clients})
    begun = {attempt.client_id for attempt in found}
    only_registered = [client for client in clients if client.client_id not in begun]
    return _newest([*found, *(Attempt(client.client_id, client) for client in only_registered)])


def of_person(user_id: UUID) -> list[Attempt]:
    pendings = PendingAuthorization.objects.filter(user_id=user_id).order_by("-approved_at")[:MOST]
    sessions = TokenSession.objects.filter(user_id=user_id).order_by("-created_at")[:MOST]
    return _newest(_together(list(pendings), list(sessions), _after(list(pendings)), {}))


def of_address(address: str) -> list[Attempt]:
    """What was registered, approved or refused from there."""
    clients = list(Client.objects.filter(registration_address=address).order_by("-created")[:MOST])
    pendings = list(PendingAuthorization.objects.filter(address=address).order_by("-approved_at")[:MOST])
    refusals = list(Refusal.objects.filter(address=address).order_by("-id")[:MOST])
    own = _together(pendings, [], refusals, {client.client_id: client for client in clients})
    begun = {attempt.client_id for attempt in own}
    others = of_clients([client for client in clients if client.client_id not in begun]) if clients else []
    return _newest([*own, *others])


def _after(pendings: Sequence[PendingAuthorization]) -> list[Refusal]:
    """Refusals of the clients that a person approved, since the earliest of those approvals."""
    if not pendings:
        return []
    ids = {known_as(client_id) for client_id in _client_ids(pendings).values()}
    since = min(pending.approved_at for pending in pendings)
    return list(Refusal.objects.filter(client_id__in=ids, at__gte=since).order_by("-id")[:MOST])


def _client_ids(pendings: Sequence[PendingAuthorization]) -> dict[int, str]:
    keys = {pending.client_id for pending in pendings}
    return dict(Client.objects.filter(pk__in=keys).values_list("pk", "client_id"))


def _together(
    pendings: list[PendingAuthorization],
    sessions: list[TokenSession],
    refusals: list[Refusal],
    clients: dict[str, Client],
) -> list[Attempt]:
    """A session belongs to the approval that ended when it began; a refusal to the attempt that it interrupted."""
    sessions = [*sessions, *_sessions_of(pendings, {session.tsid for session in sessions})]
    ids = _client_ids(pendings)
    by_end = {(session.user_id, session.client_id, session.created_at): session for session in sessions}
    attempts = []
    for pending in pendings:
        client_id = ids.get(pending.client_id, "")
        session = by_end.pop((pending.user_id, client_id, pending.finished_at), None)  # type: ignore[arg-type]  # no key
        attempts.append(Attempt(client_id, pending=pending, session=session))
    attempts += [Attempt(session.client_id, session=session) for session in by_end.values()]
    attempts += _placed(refusals, attempts)
    _fill(attempts, clients)
    return attempts


def _sessions_of(pendings: list[PendingAuthorization], known: set[str]) -> list[TokenSession]:
    ended = Q(pk__in=[])
    for pending in pendings:
        if pending.finished_at and pending.user_id:
            ended |= Q(user_id=pending.user_id, created_at=pending.finished_at)
    return [session for session in TokenSession.objects.filter(ended)[:MOST] if session.tsid not in known]


def _placed(refusals: list[Refusal], attempts: list[Attempt]) -> list[Attempt]:
    """Each into the attempt that it belongs to; the others, the same ones in a row as one, are attempts of their own."""
    alone: list[Attempt] = []
    for refusal in sorted(refusals, key=lambda row: row.id):
        home = max((one for one in attempts if _belongs(refusal, one)), key=lambda one: one.at, default=None)
        if home is not None:
            home.refusals.append(refusal)
        elif alone and refusal.client_id and _same(alone[-1].refusals[-1], refusal):
            alone[-1].repeated += 1
            alone[-1].refusals = [refusal]
        else:
            alone.append(Attempt(refusal.client_id, refusals=[refusal]))
    return alone


def _belongs(refusal: Refusal, attempt: Attempt) -> bool:
    if not refusal.client_id or refusal.client_id != known_as(attempt.client_id):
        return False
    if refusal.step == Refusal.Step.TOKEN:
        return attempt.code_at is not None and attempt.code_at <= refusal.at <= attempt.code_at + AFTER_THE_CODE
    if attempt.pending is None:
        return False
    over_at = attempt.pending.finished_at or attempt.pending.expires_at + AFTER_THE_CODE
    return attempt.pending.approved_at <= refusal.at <= over_at


def _same(one: Refusal, other: Refusal) -> bool:
    def what(row: Refusal) -> tuple[str, ...]:
        return row.client_id, row.step, row.error, row.reason

    return what(one) == what(other)


def _fill(attempts: list[Attempt], clients: dict[str, Client]) -> None:
    """What hangs on them: the client, visits, the code, the first releases."""
    missing = {attempt.client_id for attempt in attempts} - clients.keys()
    clients = clients | {client.client_id: client for client in Client.objects.filter(client_id__in=missing)}
    paths = {reverse("authorize-continue", args=[one.pending.pk]): one for one in attempts if one.pending}
    tsids = {one.session.tsid: one for one in attempts if one.session}
    for attempt in attempts:
        attempt.client = clients.get(attempt.client_id)
    if paths:
        since = min(one.at for one in paths.values())
        for visit in (
            Visit.objects.filter(expires_at__gte=since, return_path__in=paths)
            .select_related("provider")
            .order_by("created_at")[: MOST * 4]
        ):
            paths[visit.return_path].visits.append(visit)
    for grant in Grant.objects.filter(tsid__in=tsids)[: MOST * 2]:
        tsids[grant.tsid].grant = grant
    for tsid, attempt in tsids.items():
        if attempt.session is None:
            continue
        attempt.has_upstreams = attempt.session.links.exists()
        if attempt.has_tokens:
            rows = AuditEvent.objects.filter(tsid=tsid, event="vault.release").order_by()[:RELEASES]
            attempt.releases = sorted(rows, key=lambda row: row.pk)


def _newest(attempts: list[Attempt]) -> list[Attempt]:
    return sorted(attempts, key=lambda attempt: attempt.at, reverse=True)[:MOST]
