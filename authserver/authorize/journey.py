"""From an approval to the code: sign in, connect what the resource needs, finish. Each return from a provider resumes.

The approved request is one database row, bound to the browser; what happened on the way is noted on it, so that a
provider which does not give what is needed is visited once and not for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts import audit, metrics, tracing
from accounts.models import User
from accounts.vault.base import NotConnected
from authserver import languages, policy, refusals, session_caps
from authserver.authorize import consent, obstacles, pages
from authserver.authorize.finish import AlreadyFinished, NotApproved, SignedOut, finish
from authserver.authorize.obstacles import Obstacle
from authserver.authorize.pending import kept
from authserver.authorize.request import AuthorizationRequest
from authserver.authorize.responses import error_url
from authserver.authorize.ticket import Ticket
from authserver.authorize.upstreams import Connections, entry_for, optional, scopes_of, sign_in_choices
from authserver.errors import OAuthError
from authserver.models import PendingAuthorization
from authserver.people import is_recent_enough, may_reach, signed_in
from authserver.responses import leave
from upstream import visits
from upstream.errors import UpstreamError
from upstream.models import Provider, Visit


def begin(
    asked: AuthorizationRequest,
    ticket: Ticket,
    skipped: Collection[str],
    *,
    address: str | None = None,
    as_before: bool = False,
    now: datetime,
) -> PendingAuthorization | None:
    """The row of an approval, with the upstreams that the person left out. `as_before`: nobody was asked, for what was
    approved once is remembered.

    A second click on Approve finds the first one's row; None where the client is gone. Where nobody was asked there is no
    second click, and mostly nothing left to do: then the row is written by whatever comes next. From now on the answer goes
    to this redirect URI and to no other, whether the client named it or had only this one.
    """
    settled = {**asked.raw, "redirect_uri": asked.redirect_uri}
    pending = PendingAuthorization(
        id=ticket.id,
        browser_hash=ticket.browser_hash,
        client=asked.client,
        resource=asked.resource,
        user_id=User._meta.pk.to_python(ticket.person) if ticket.person else None,  # compared with a user's own key
        parameters={
            "raw": settled,
            "signed_in": False,
            "visited": [],
            "skipped": sorted(skipped),
            "choose": [],
            "as_before": as_before,
        },
        approved_at=now,
        address=address,
        expires_at=now + timedelta(seconds=policy.current().lifetimes.pending),
    )
    tracing.leave(f"pending:{pending.pk}")
    if as_before or kept(pending):
        return pending
    return PendingAuthorization.objects.filter(pk=ticket.id).first()


def came_back(pending: PendingAuthorization, visit: Visit, user: User | None) -> None:
    """Note a visit that went well; a sign-in decides whose authorization this is."""
    progress: dict[str, Any] = dict(pending.parameters)
    progress["visited"] = [*progress["visited"], visit.provider.name]
    if visit.purpose == Visit.Purpose.SIGN_IN and user is not None and visit.user_id == user.pk:
        progress["signed_in"] = True
        pending.user_id = user.pk
    pending.parameters = progress
    PendingAuthorization.objects.filter(pk=pending.pk).update(parameters=progress, user_id=pending.user_id)


def decided(pending: PendingAuthorization, asked: AuthorizationRequest, given: Mapping[str, str]) -> None:
    """Note what the person chose on the page about an upstream that stood in the way: without it, or once more."""
    progress: dict[str, Any] = dict(pending.parameters)
    without, again = given.get("go_on_without"), given.get("try_again")
    progress["as_before"] = False
    if without in optional(asked):
        progress["skipped"] = sorted({*progress["skipped"], without})
    if again is not None:
        progress["visited"] = [name for name in progress["visited"] if name != again]
        progress["choose"] = [again]
    pending.parameters = progress
    PendingAuthorization.objects.filter(pk=pending.pk, finished_at=None).update(parameters=progress)


def advance(
    request: HttpRequest,
    asked: AuthorizationRequest,
    pending: PendingAuthorization,
    *,
    now: datetime,
    chosen: str = "",
) -> HttpResponse:
    """Take the next step: a provider, a page that explains, or the way back to the client with a code."""
    progress = pending.parameters
    user = signed_in(request)
    fresh = bool(progress["signed_in"])
    if user is not None and pending.user_id is not None and user.pk != pending.user_id:
        refusals.note(request, refusals.Step.AUTHORIZE, "somebody_else", client_id=asked.client.client_id)
        return pages.somebody_else(request, asked)
    will_do = user is not None and not asked.wants_new_sign_in and asked.is_for(user)
    if user is None or (not fresh and not (will_do and is_recent_enough(request, asked.max_age, now=now))):
        return sign_in(request, asked, pending, chosen=chosen, now=now)
    if not asked.is_for(user):
        error = OAuthError("login_required", "Somebody else signed in than id_token_hint names.")
        refusals.note_error(request, refusals.Step.AUTHORIZE, error, client_id=asked.client.client_id)
        return leave(request, error_url(asked.destination, error), app_name=asked.client.name, is_error=True)
    if not may_reach(user, asked.resource.allow):
        metrics.AUTHORIZATIONS.count("refused")
        audit.record("authorization.refused", outcome="refused", reason="resource_allow", user_id=user.pk,
                     client_id=asked.client.client_id, resource=asked.resource.identifier)  # fmt: skip
        refusals.note(request, refusals.Step.AUTHORIZE, "resource_allow", client_id=asked.client.client_id)
        return pages.not_allowed(request, asked)
    connections = Connections(user)
    for entry in connections.missing(asked, progress["skipped"]):
        if not kept(pending):
            return pages.gone(request)
        met = Obstacle(request, asked, pending, entry.provider, Visit.Purpose.CONNECT)
        if entry.provider.name in progress["visited"]:
            return obstacles.not_granted(met, connections.lacking(entry))
        if not entry.provider.enabled:
            return obstacles.switched_off(met)
        return visit(request, asked, pending, entry.provider, Visit.Purpose.CONNECT, user=user, now=now)
    return complete(request, asked, user, connections, pending, now=now)


def complete(
    request: HttpRequest,
    asked: AuthorizationRequest,
    user: User,
    connections: Connections,
    pending: PendingAuthorization,
    *,
    now: datetime,
) -> HttpResponse:
    """Finish, and send the browser back to the client."""
    try:
        url = finish(request, asked, user, connections, pending, now=now)
    except AlreadyFinished:
        return pages.already_answered(request)
    except SignedOut:
        return pages.signed_out(request, asked)
    except NotApproved:
        if "none" not in asked.prompt:
            return consent.show(request, asked)
        error = OAuthError("consent_required", "The person has not approved this.")
        refusals.note_error(request, refusals.Step.AUTHORIZE, error, client_id=asked.client.client_id)
        return leave(request, error_url(asked.destination, error), app_name=asked.client.name, is_error=True)
    except NotConnected:  # a credential was destroyed since we looked: its last session ended just now
        return advance(request, asked, pending, now=now)
    except IntegrityError:  # the client, the resource or the person was deleted while this ran
        return pages.gone(request)
    session_caps.keep_within(user.pk, asked.client.client_id)
    return leave(request, url, app_name=asked.client.name)


def sign_in(
    request: HttpRequest, asked: AuthorizationRequest, pending: PendingAuthorization, *, chosen: str, now: datetime
) -> HttpResponse:
    choices = sign_in_choices(asked)
    provider = next((p for p in choices if p.name == chosen), choices[0] if choices else None)
    if provider is None:
        refusals.note(request, refusals.Step.AUTHORIZE, "no_provider", client_id=asked.client.client_id)
        return pages.nobody_can_sign_in(request, asked)
    return visit(request, asked, pending, provider, Visit.Purpose.SIGN_IN, user=None, now=now)


def visit(
    request: HttpRequest,
    asked: AuthorizationRequest,
    pending: PendingAuthorization,
    provider: Provider,
    purpose: Visit.Purpose,
    *,
    user: User | None,
    now: datetime,
) -> HttpResponse:
    """Send the browser to a provider; its state exists only now, after the person approved."""
    if not kept(pending):
        return pages.gone(request)
    progress = pending.parameters
    prompt = asked.prompt & {"login", "select_account"}
    here = signed_in(request)
    somebody_else = purpose == Visit.Purpose.SIGN_IN and here is not None and not asked.is_for(here)
    if provider.name in progress["choose"] or somebody_else:  # the account that was tried did not do, or will not
        prompt |= {"select_account"}
    try:
        url = visits.begin(
            request=request,
            provider=provider,
            purpose=purpose,
            scopes=scopes_of(provider, None if provider.name in progress["skipped"] else entry_for(asked, provider)),
            browser_hash=pending.browser_hash,
            return_path=reverse("authorize-continue", args=[pending.pk]),
            now=now,
            user_id=user.pk if user else None,
            login_hint=asked.login_hint,
            prompt=" ".join(sorted(prompt)),
            ui_locales=asked.ui_locales,
            language=languages.asked_for(asked.ui_locales),
            max_age=asked.max_age,
        )
    except UpstreamError as error:
        return obstacles.failed(Obstacle(request, asked, pending, provider, purpose), reason=error.reason)
    return leave(request, url, provider_title=provider.title)
