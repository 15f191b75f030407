"""What a token is to a resource server: an access token by its signature and its session, a refresh token by its lineage
and its session.

Two statements: one proves the caller and reads what hangs on the token, one reads the session. A third where the
resource is configured to be told the person's address.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, JSONField, OuterRef, QuerySet, Subquery

from accounts.models import User
from accounts.prepared import Prepared, slot
from accounts.vault import vault
from accounts.vault.base import Session, SessionGone
from authserver import refresh_tokens, verify
from authserver.access_tokens import jti_checksum
from authserver.claims import AccessClaims
from authserver.client_authentication import Presented, secret_matches
from authserver.conf import load
from authserver.errors import invalid_client
from authserver.models import AccessToken, Client, RefreshToken, Resource, ResourceServer

Answer = dict[str, Any]
INACTIVE: Answer = {"active": False}


@dataclass(frozen=True)
class Told:
    """The proven caller, and what it is told (RFC 7662 section 2.2)."""

    caller: str
    answer: Answer


def _callers_about() -> QuerySet[Any]:
    """The (one or two) callers that the credentials may name, each with what hangs on an access token for it."""
    own = Resource.objects.filter(resource_servers=OuterRef("pk"), identifier=slot("audience"), enabled=True)
    return ResourceServer.objects.filter(client_id__in=[slot("caller"), slot("or_caller")], enabled=True).annotate(
        told_claims=Subquery(own.values("claims")[:1], output_field=JSONField()),  # None: not one of its own
        client_is_usable=Exists(Client.objects.filter(Client.usable(), client_id=slot("client_id"))),
        was_ended=Exists(AccessToken.objects.filter(token_checksum=slot("checksum"))),
    )


_CALLERS_ABOUT: Prepared[Any] = Prepared(_callers_about)


def tell(given: Presented, token: str, *, now: datetime) -> Told:
    """What this token is to whoever asks. Raises invalid_client for whoever is not a resource server of ours."""
    if given.method == "none":
        raise invalid_client("a resource server authenticates with its secret")
    genuine = refresh_tokens.read(token)
    if genuine is not None:
        return _of_refresh_token(given, genuine, now=now)
    try:
        claims: AccessClaims | None = verify.access_token(token, now=now)
    except verify.InvalidToken:
        claims = None
    return _of_access_token(given, claims, now=now)


def _of_access_token(given: Presented, claims: AccessClaims | None, *, now: datetime) -> Told:
    """`claims` is None for whatever is none of ours, or has expired."""
    if claims is None:
        return Told(_proven(given, _callers(given)).client_id, INACTIVE)
    callers = _CALLERS_ABOUT.all(
        caller=given.client_ids[0],
        or_caller=given.client_ids[-1],
        audience=claims.audience,
        client_id=claims.client_id,
        checksum=jti_checksum(claims.jti),
    )
    row: Any = _proven(given, callers)
    if row.told_claims is None or not row.client_is_usable or row.was_ended:
        return Told(row.client_id, INACTIVE)
    session = _session(claims.tsid, now)
    whose = (claims.subject, claims.client_id, claims.audience)
    if session is None or (session.user_id, session.client_id, session.resource) != whose:
        return Told(row.client_id, INACTIVE)
    answer = _answer(session, scope=claims.scope, ends=claims.expires_at, told_claims=row.told_claims)
    return Told(
        row.client_id,
        {**answer, "token_type": "Bearer", "iat": int(claims.issued_at.timestamp()), "jti": claims.jti},
    )


def _of_refresh_token(given: Presented, genuine: refresh_tokens.Genuine, *, now: datetime) -> Told:
    """Active is the newest of its lineage only: an older one would end the session, were it used."""
    lineages = RefreshToken.objects.filter(
        handle=genuine.handle, audience__enabled=True,
        audience__resource_servers__client_id__in=given.client_ids, audience__resource_servers__enabled=True,
    ).annotate(
        caller_id=F("audience__resource_servers__client_id"), caller_secret=F("audience__resource_servers__client_secret")
    ).select_related("application__app", "audience").defer("replay_sealed")  # fmt: skip
    row: Any = next((one for one in lineages if _is_proven(given, one.caller_id, one.caller_secret)), None)
    if row is None:
        return Told(_proven(given, _callers(given)).client_id, INACTIVE)
    ends = min(row.idle_expires_at, row.expires_at)
    is_current = row.revoked is None and row.token_checksum == genuine.checksum and ends > now
    session = _session(row.tsid, now) if is_current and row.application.is_usable(None) else None
    if session is None:
        return Told(row.caller_id, INACTIVE)
    return Told(row.caller_id, _answer(session, scope=row.scope, ends=ends, told_claims=row.audience.claims))


def _callers(given: Presented) -> Iterable[ResourceServer]:
    return ResourceServer.objects.filter(client_id__in=given.client_ids, enabled=True)


def _proven(given: Presented, callers: Iterable[ResourceServer]) -> ResourceServer:
    for row in callers:
        if _is_proven(given, row.client_id, row.client_secret):
            return row
    raise invalid_client("unknown, disabled, or wrong secret", tried_basic=given.tried_basic)


def _is_proven(given: Presented, client_id: str, secret: str) -> bool:
    return secret_matches(given.secrets_for(client_id), secret)


def _session(tsid: str, now: datetime) -> Session | None:
    """The live session of an active person."""
    try:
        session = vault().sessions.alive(tsid, now=now)
    except SessionGone:
        return None
    return session if session.user_is_active else None


def _answer(session: Session, *, scope: str, ends: datetime, told_claims: Iterable[str]) -> Answer:
    answer: Answer = {
        "active": True,
        "iss": load().issuer,
        "sub": str(session.user_id),
        "aud": session.resource,
        "client_id": session.client_id,
        "scope": scope,
        "exp": int(ends.timestamp()),
        "tsid": session.tsid,
    }
    if "email" in told_claims and "email" in session.scopes:  # configured, and approved
        address = User.objects.filter(pk=session.user_id).values_list("email", flat=True).first()
        if address:
            answer["username"] = address
    return answer
