"""`POST /oauth/revoke`: any generation of a refresh token ends its session; an access token ends itself (behaviour.md,
Revocation).

Of the calling client's own tokens only. Whatever else is presented is answered with the same 200 (RFC 7009 section 2.2),
and costs the same statements, so that nobody learns whose token it is.
"""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import audit
from accounts.prepared import Prepared, slot
from authserver import cascade, clients, limits, policy, refresh_tokens, verify
from authserver.addresses import client_address, network_of
from authserver.claims import AccessClaims
from authserver.client_authentication import Presented, check_client, presented
from authserver.cors import cross_origin
from authserver.endpoint import answering
from authserver.errors import OAuthError
from authserver.models import AccessToken, Client, RefreshToken
from authserver.parameters import form

PARAMETERS = frozenset(
    {"token", "token_type_hint", "client_id", "client_secret", "client_assertion", "client_assertion_type"}
)
NOBODYS = "0" * 32
"""A handle that no lineage has: looking it up costs what looking up a genuine one does."""
_BY_HANDLE: Prepared[RefreshToken] = Prepared(
    lambda: RefreshToken.objects.select_related("application__app").defer("replay_sealed").filter(handle=slot("handle"))
)


@cross_origin(methods=("POST",))
@answering
def revoke(request: HttpRequest) -> HttpResponse:
    parameters = form(request, PARAMETERS)
    given, address = presented(request.META.get("HTTP_AUTHORIZATION", ""), parameters), client_address(request)
    limits.enforce("token", f"address {network_of(address)}")
    token, now = parameters.get("token"), timezone.now()
    if token is None:
        raise OAuthError("invalid_request", "token is missing (RFC 7009 section 2.1).")
    row = lineage_of(token)
    client = authenticated(given, row, now=now)
    actor = f"client:{client.client_id}"
    if row is not None and row.application_id == client.pk:
        cascade.revoke_session(row.tsid, reason="client", actor=actor, address=address)
    elif (claims := access_token_of(token, client, now=now)) is not None:
        end_access_token(claims, client, actor=actor, address=address, now=now)
    response = HttpResponse(status=200)
    response["Cache-Control"] = "no-store"
    return response


def lineage_of(token: str) -> RefreshToken | None:
    """The lineage of a refresh token of ours, of whatever generation; one statement, whatever it is."""
    genuine = refresh_tokens.read(token)
    return _BY_HANDLE.first(handle=genuine.handle if genuine else NOBODYS)


def authenticated(given: Presented, row: RefreshToken | None, *, now: datetime) -> Client:
    """The caller. Raises invalid_client."""
    client: Client | None = None
    for client_id in given.client_ids:
        named = row is not None and row.application.client_id == client_id
        client = row.application if named and row is not None else clients.known(client_id)
        if client is not None:
            break
    return check_client(client, given, now=now)


def access_token_of(token: str, client: Client, *, now: datetime) -> AccessClaims | None:
    """The claims of a live access token that this client was given."""
    try:
        claims = verify.access_token(token, now=now)
    except verify.InvalidToken:
        return None
    return claims if claims.client_id == client.client_id else None


def end_access_token(claims: AccessClaims, client: Client, *, actor: str, address: str | None, now: datetime) -> None:
    """This one, and its session where the operator wants that (`revocation.access_token_ends_session`)."""
    if policy.current().revocation.access_token_ends_session:
        cascade.revoke_session(claims.tsid, reason="client", actor=actor, address=address)
        return
    row = AccessToken(token=claims.jti, application=client, tsid=claims.tsid, expires=claims.expires_at, scope="")
    AccessToken.objects.bulk_create([row], ignore_conflicts=True)  # twice is no error
    audit.record("access_token.revoked", tsid=claims.tsid, client_id=client.client_id, user_id=claims.subject,
                 resource=claims.audience, actor=actor, address=address, now=now)  # fmt: skip
