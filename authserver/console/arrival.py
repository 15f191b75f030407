"""The console's steps of the pipeline (`settings.SOCIAL_AUTH_PIPELINE`): who comes back from the upstream, and may in.

They concern visits with the purpose `console` alone. By then the upstream's answer has been checked as every sign-in's
is, and the account is the one with this identity (upstream and subject), whatever its e-mail address. Such a visit signs
nobody in for apps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.http import HttpRequest
from django.urls import reverse

from accounts import audit
from accounts.browser_sessions import MAX_SID
from accounts.models import User
from authserver.addresses import client_address
from authserver.console import attempts, mapped, mapping, threshold, upstream_door
from authserver.policy import UpstreamSignIn
from upstream.backends.base import ProviderBackend
from upstream.errors import NotAllowed
from upstream.models import Visit
from upstream.strategy import ProviderStrategy

NEXT = "console_next"
"""Where the person wanted to go, in the browser session."""


def refuse_without_role(
    backend: ProviderBackend, response: Mapping[str, Any], user: User | None = None, **kwargs: Any
) -> None:
    """Before anybody is made. Raises `NotAllowed`."""
    if backend.transaction.purpose != Visit.Purpose.CONSOLE:
        return
    request, sign_in = _request(backend), upstream_door.sign_in()
    reason = _why_not(backend, response, user, sign_in)
    if not reason:
        return
    if reason == "no_mapped_group" and user is not None and user.staff_from_upstream:
        mapped.hold_to(user, (), upstream=backend.name, address=client_address(request))
    attempts.turned_away(request, user, reason=reason, upstream=backend.name)
    raise NotAllowed(reason, provider=backend.name)


def enter(backend: ProviderBackend, response: Mapping[str, Any], user: User, **kwargs: Any) -> None:
    """The roles that the claims give, and in, on to the second step, or proved again. Raises `NotAllowed`."""
    if backend.transaction.purpose != Visit.Purpose.CONSOLE:
        return
    request, sign_in = _request(backend), upstream_door.sign_in()
    if sign_in is None:
        raise NotAllowed("not_for_the_console", provider=backend.name)
    roles = mapping.roles_of(backend.identity(response).claims, sign_in)
    try:
        mapped.hold_to(user, roles, upstream=backend.name, address=client_address(request))
    except mapped.MadeHere:  # just now
        raise NotAllowed("operator_made_here", provider=backend.name) from None
    if backend.transaction.only_user is not None:
        _proved_again(request, user, backend.name)
        return
    via, next_url = _via(backend, sign_in), request.session.get(NEXT, reverse("admin:index"))
    threshold.first_step_done(request, user, next_url, by=f"upstream {backend.name}", via=via)
    request.session[NEXT] = next_url  # a new session, maybe


def _why_not(
    backend: ProviderBackend, response: Mapping[str, Any], user: User | None, sign_in: UpstreamSignIn | None
) -> str:
    """The first reason against it; empty for none. The words for each are `upstream_entry`'s."""
    if sign_in is None or sign_in.upstream != backend.name:
        return "not_for_the_console"
    if user is not None and mapped.is_made_here(user):
        return "operator_made_here"
    if not mapping.roles_of(backend.identity(response).claims, sign_in):
        return "no_mapped_group"
    if sign_in.second_factor and not mapping.says_second_factor(_id_token(backend), sign_in):
        return "no_second_factor"
    transaction = backend.transaction
    if transaction.only_user is not None and not (
        transaction.begun_at is not None and mapping.was_asked_since(_id_token(backend), transaction.begun_at)
    ):
        return "not_asked_again"
    return ""


def _proved_again(request: HttpRequest, user: User, upstream: str) -> None:
    """For whoever is in. Nobody gets in by it: their session may have ended meanwhile."""
    if request.user.pk != user.pk or not threshold.crossed(request):
        raise NotAllowed("not_in_any_more", provider=upstream)
    threshold.proved(request)
    audit.record("console.confirmed", actor=user.get_username(), user_id=user.pk,
                 address=client_address(request), reason=f"upstream {upstream}")  # fmt: skip


def _via(backend: ProviderBackend, sign_in: UpstreamSignIn) -> threshold.Via:
    id_token = _id_token(backend)
    sid = id_token.get("sid")
    return threshold.Via(
        backend.name,
        sid=sid if isinstance(sid, str) and len(sid) <= MAX_SID and sid.isprintable() else "",
        second_factor=mapping.says_second_factor(id_token, sign_in),
        asked_at=mapping.signed_in_at(id_token) or 0,
    )


def _request(backend: ProviderBackend) -> HttpRequest:
    """The callback's, with the browser session that is let in."""
    request = cast(ProviderStrategy, backend.strategy).request
    assert request is not None  # noqa: S101 - narrows the type: the callback's view gives it
    return request


def _id_token(backend: ProviderBackend) -> Mapping[str, Any]:
    """The signed claims; none from an upstream that is not OpenID Connect."""
    return getattr(backend, "id_token", None) or {}
