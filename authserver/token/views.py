"""`/oauth/token` (RFC 6749 section 3.2): one door, one grant class each behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import cast

import structlog
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, QueryDict, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.views import View
from oauth2_provider.views.mixins import OAuthLibMixin
from oauthlib.oauth2 import OAuth2Error

from accounts import metrics
from authserver import refusals
from authserver.client_authentication import presented
from authserver.cors import cross_origin
from authserver.endpoint import limited
from authserver.errors import OAuthError, render
from authserver.failures import PASSING, try_again
from authserver.grant_types import TOKEN_EXCHANGE, short_name

log = structlog.get_logger("oauth.token")


class TokenView(OAuthLibMixin, View):
    """POST only; form-encoded only; the query string is never read."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """The answer, with one line in the log and one count whatever it is."""
        try:
            _, _, body, status = self.create_token_response(request)
        except OAuthError as error:
            return refused(request, limited(error, request))
        except OAuth2Error as error:
            words = error.description or "Refused."
            return refused(request, OAuthError(error.error or "invalid_request", words, status=error.status_code))
        except PASSING as error:
            return refused(request, try_again(error))
        except DatabaseError as error:
            log.exception("storage refused", error=type(error).__name__)
            return refused(request, OAuthError("server_error", "The request could not be stored.", status=500))
        response = HttpResponse(body, status=status, content_type="application/json")
        response["Cache-Control"] = "no-store"
        response["Pragma"] = "no-cache"
        if status == 200:
            issued(request)
        else:
            said = _error_of(body)
            log.info("refused", error=said, status=status)
            note(request, OAuthError(said, "", status=status))
        return response


def issued(request: HttpRequest) -> None:
    grant = short_name(request)
    metrics.TOKENS.count(grant, "ok")
    if grant != "token_exchange":  # whose line is the audit trail's
        log.info("token", outcome="ok", grant=grant)


def refused(request: HttpRequest, error: OAuthError) -> HttpResponse:
    """The answer, and the note of it; not of an exchange, whose refusals are in the audit trail."""
    note(request, error)
    return render(error)


def note(request: HttpRequest, error: OAuthError) -> None:
    form = sent_form(request)
    metrics.TOKENS.count(short_name(request), "rate_limited" if error.status == 429 else error.error)
    if form.get("grant_type") != TOKEN_EXCHANGE:
        refusals.note_error(request, refusals.Step.TOKEN, error, client_id=claimed_client(request, form))


def sent_form(request: HttpRequest) -> QueryDict:
    """Unchecked; empty where it cannot be read."""
    try:
        return request.POST
    except (UnreadablePostError, SuspiciousOperation, BadRequest, MultiPartParserError):
        return QueryDict()


def claimed_client(request: HttpRequest, form: QueryDict) -> str:
    """Who the caller says it is, unchecked; empty where that cannot be read."""
    given = {"client_id": value} if (value := form.get("client_id")) else {}
    try:
        return presented(request.META.get("HTTP_AUTHORIZATION", ""), given).client_ids[0]
    except (OAuthError, IndexError):
        return given.get("client_id", "")


def _error_of(body: str) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return "invalid_request"


_view = cast("Callable[..., HttpResponse]", TokenView.as_view())
token = cross_origin(methods=("POST",))(_view)
