"""`/api/v1/sessions/<tsid>/upstream-tokens`, all of them or one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from authserver.api import described
from authserver.api.callers import Caller, ResourceServerAuthentication
from authserver.api.pages import page
from authserver.api.problems import problem
from authserver.api.sessions import Found, find
from authserver.conf import load
from authserver.errors import OAuthError, json_response
from authserver.parameters import query
from authserver.release import Refused, Released, Whose, asked_scopes, describe, release, token_members
from upstream.refresh import Fresh

ALL = frozenset({"limit", "cursor", "upstream"})
ONE = frozenset({"scope"})


class TokenView(APIView):
    """GET; or POST, whose form may carry the caller's credentials. Both answer the same."""

    authentication_classes = (ResourceServerAuthentication,)
    http_method_names = ("get", "post")

    def caller(self, request: Request) -> Caller:
        caller = request.user
        assert isinstance(caller, Caller)  # noqa: S101 - narrows the type: no other authentication is configured
        return caller


class AllTokens(TokenView):
    """What each upstream of the session's resource gives, or why it gives nothing."""

    @extend_schema(**described.ALL_TOKENS, operation_id="list_upstream_tokens")
    def get(self, request: Request, tsid: str) -> Any:
        now = timezone.now()
        parameters = query(request._request, ALL)
        asked = page(parameters, tsid)
        found = find(self.caller(request), tsid, now=now)
        named = parameters.get("upstream")
        upstreams = [entry for entry in found.upstreams if named is None or entry.provider.name in named.split(",")]
        released = released_by(found, [entry.provider.name for entry in asked.of(upstreams)], (), now=now)
        session = found.entries.session
        body: dict[str, Any] = {
            "tsid": session.tsid,
            "resource": session.resource,
            "sub": str(session.user_id),
            "client_id": session.client_id,
            "scope": " ".join(session.scopes),
            "expires_at": session.expires_at.isoformat(timespec="seconds"),
            "upstream_tokens": [as_item(one, found.whose, now=now) for one in released],
        }
        if cursor := asked.next_cursor(upstreams):
            kept = {"limit": str(asked.limit), **({"upstream": named} if named else {}), "cursor": cursor}
            body["next"] = f"{load().origin}{reverse('api-tokens', args=[tsid])}?{urlencode(kept)}"
        return json_response(body)

    @extend_schema(**described.ALL_TOKENS, operation_id="list_upstream_tokens_by_form", request=described.CREDENTIALS)
    def post(self, request: Request, tsid: str) -> Any:
        return self.get(request, tsid)


class OneToken(TokenView):
    """One upstream's token, or the error that token exchange would answer."""

    @extend_schema(**described.ONE_TOKEN, operation_id="get_upstream_token")
    def get(self, request: Request, tsid: str, upstream: str) -> Any:
        now = timezone.now()
        wanted = asked_scopes(query(request._request, ONE))
        found = find(self.caller(request), tsid, only=upstream, now=now)
        released = released_by(found, [upstream], wanted, now=now)
        if not released:
            words = "The session's resource names no such upstream. Ask for all of them to see which there are."
            raise OAuthError("invalid_target", words, status=404)
        [one] = released
        if isinstance(one.outcome, Fresh):
            return json_response({"upstream": one.provider.name, **token_members(one.outcome, now=now)})
        error = describe(one, found.whose)
        return problem(OAuthError(error.error, error.description, status=error.status, detail=error.detail,
                                  headers=error.headers, members={"upstream": one.provider.name, **error.members}))  # fmt: skip

    @extend_schema(**described.ONE_TOKEN, operation_id="get_upstream_token_by_form", request=described.CREDENTIALS)
    def post(self, request: Request, tsid: str, upstream: str) -> Any:
        return self.get(request, tsid, upstream)


def released_by(found: Found, names: list[str], wanted: tuple[str, ...], *, now: datetime) -> list[Released]:
    """The outcome at each of these upstreams that the resource names. Raises `OAuthError` 404 where the session ended."""
    upstreams = [entry for entry in found.upstreams if entry.provider.name in names]
    if not upstreams:
        return []
    try:
        return release(found.asker, found.whose, upstreams, wanted_scopes=wanted, seen=found.entries, now=now)
    except Refused:
        words = "The session has just ended. The client has to authorize again."
        raise OAuthError("not_found", words, status=404) from None


def as_item(one: Released, whose: Whose, *, now: datetime) -> dict[str, Any]:
    """One upstream in the list: the members of a token, or those of an error."""
    item: dict[str, Any] = {"upstream": one.provider.name}
    if isinstance(one.outcome, Fresh):
        return item | token_members(one.outcome, now=now)
    error = describe(one, whose)
    if wait := error.headers.get("Retry-After"):
        item["retry_after"] = int(wait)
    return item | error.as_json()


@csrf_exempt  # it does nothing, for nobody in particular
def not_here(request: HttpRequest, path: str = "") -> HttpResponse:
    """Everything else under `/api/v1/`."""
    return problem(
        OAuthError("not_found", "There is no such address here: /api/v1/schema lists what there is.", status=404)
    )
