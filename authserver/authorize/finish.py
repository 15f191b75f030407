"""The end of an authorization: the session, the code, the remembered consent, in one transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.http import HttpRequest

from accounts import audit, browser_sessions, metrics, tracing
from accounts.browser_sessions import SIGNED_IN_WITH, UPSTREAM_SID
from accounts.models import User
from accounts.vault import vault
from accounts.vault.base import NewSession
from authserver import codes, policy, redirects
from authserver.addresses import client_address
from authserver.authorize.consent import remember_answer, still_given
from authserver.authorize.pending import claim
from authserver.authorize.request import AuthorizationRequest
from authserver.authorize.responses import client_url
from authserver.authorize.upstreams import Connections
from authserver.models import Client, PendingAuthorization
from authserver.people import auth_time

REDEEM_MARGIN_SECONDS = 60
SESSION_TRACE_SECONDS = 3600
"""For so long the uses of a session are linked to the trace that it began in."""


class AlreadyFinished(Exception):
    """This approval gave its code before."""


class SignedOut(Exception):
    """The person was signed out while this ran. The row is held until the session is open: whoever ends what a sign-in
    began sees either no browser session that could begin another one, or the token session to end."""


class NotApproved(Exception):
    """Nobody was asked, for what was approved once was remembered, and it is not any more: it was taken back while this ran,
    or the client has become another one."""


def finish(
    request: HttpRequest,
    asked: AuthorizationRequest,
    user: User,
    connections: Connections,
    pending: PendingAuthorization,
    *,
    now: datetime,
) -> str:
    """Open the session, issue the code, and return where to send the browser. Raises `AlreadyFinished`, `SignedOut`,
    `NotApproved`, `NotConnected`.

    The session starts with the code's own short life: redeeming the code extends it, and one never redeemed ends.
    """
    lifetimes, skipped = policy.current().lifetimes, pending.parameters["skipped"]
    address = client_address(request)
    with transaction.atomic():
        if not browser_sessions.still_there(request.session.session_key):
            raise SignedOut
        if pending._state.adding and not still_given(pending):
            raise NotApproved
        if not claim(pending, now=now):
            raise AlreadyFinished
        if asked.client.registration_source == Client.RegistrationSource.DCR:  # or it is removed as unused one day
            Client.objects.filter(pk=asked.client.pk).update(last_used_at=now)
        asked.client.app.seen(now)
        approved = connections.approved(asked, skipped)
        tsid = vault().sessions.open(
            NewSession(
                user_id=user.pk,
                client_id=asked.client.client_id,
                redirect_host=redirects.host_of(asked.redirect_uri),
                resource=asked.resource.identifier,
                scopes=asked.scopes,
                idle_expires_at=now + timedelta(seconds=lifetimes.code + REDEEM_MARGIN_SECONDS),
                expires_at=now + timedelta(seconds=lifetimes.refresh_absolute),
                approved=approved,
                address=address,
                user_agent=request.headers.get("User-Agent", "")[:512],
                signed_in_with=request.session[SIGNED_IN_WITH],
                upstream_sid=request.session.get(UPSTREAM_SID, ""),
            ),
            now=now,
        )
        code = codes.issue(
            client=asked.client,
            user=user,
            resource=asked.resource,
            tsid=tsid,
            redirect_uri=asked.redirect_uri,
            scopes=asked.scopes,
            code_challenge=asked.code_challenge,
            nonce=asked.nonce,
            auth_time=auth_time(request),
            lifetime_seconds=lifetimes.code,
            now=now,
        )
        if not pending.parameters.get("as_before"):  # then nobody was asked, and what was said before stands
            remember_answer(asked, user, skipped, now=now)
        audit.record(
            "authorization.granted",
            user_id=user.pk,
            client_id=asked.client.client_id,
            tsid=tsid,
            resource=asked.resource.identifier,
            address=address,
            now=now,
            scope=" ".join(asked.scopes),
            app=asked.client.name[:255],
            upstreams={one.provider: list(one.scopes) for one in approved},  # the session's own links end with it
            remembered=pending.parameters.get("as_before", False),
        )
    metrics.AUTHORIZATIONS.count("granted")
    tracing.leave(f"code:{codes.code_hash(code)}", seconds=lifetimes.code)
    tracing.leave(f"session:{tsid}", seconds=SESSION_TRACE_SECONDS)
    return client_url(asked.destination, {"code": code})
