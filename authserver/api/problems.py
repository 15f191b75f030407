"""Errors for both kinds of caller: a problem document (RFC 9457) that also carries the OAuth members."""

from __future__ import annotations

from typing import Any

import structlog
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from authserver.errors import OAuthError, json_response
from authserver.failures import PASSING, try_again

log = structlog.get_logger("api")
MEDIA_TYPE = "application/problem+json"

TITLES = {
    "invalid_client": "Not a resource server",
    "invalid_token": "Not a valid access token",
    "invalid_request": "The request cannot be read",
    "not_found": "Nothing of yours",
    "invalid_target": "No such upstream",
    "invalid_scope": "Not these scopes",
    "unsupported_grant_type": "Not this grant",
    "invalid_grant": "No token at the moment",
    "method_not_allowed": "Not this way",
    "temporarily_unavailable": "Not now",
}


def problem(error: OAuthError) -> HttpResponse:
    """`type` is about:blank, so `title` says the kind in words; `detail` says what happened and what to do."""
    log.info("refused", error=error.error, status=error.status, reason=error.detail or error.description)
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(error.error, error.error),
        "status": error.status,
        "detail": error.description,
        **error.as_json(),
    }
    response = json_response(document, error.status, error.headers)
    response["Content-Type"] = MEDIA_TYPE
    return response


def handle(exception: Exception, context: dict[str, Any]) -> HttpResponse | Response | None:
    """DRF's `EXCEPTION_HANDLER`. What is none of ours goes on to Django, which logs it and answers 500."""
    if isinstance(exception, OAuthError):
        return problem(exception)
    if isinstance(exception, PASSING):
        return problem(try_again(exception))
    if isinstance(exception, exceptions.MethodNotAllowed):
        words = "Use GET, or POST with your credentials as a form."
        return problem(OAuthError("method_not_allowed", words, status=405, headers=_allowed(context)))
    if isinstance(exception, exceptions.APIException | Http404):
        plain = exception_handler(exception, context)
        status = plain.status_code if plain is not None else 500
        return problem(OAuthError("invalid_request", "The request cannot be served.", status=status))
    return None


def _allowed(context: dict[str, Any]) -> dict[str, str]:
    return {"Allow": ", ".join(context["view"].allowed_methods)}
