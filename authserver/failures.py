"""What goes wrong here rather than with the request: what may pass is a 503, everything else a 500 and a bug of ours."""

from __future__ import annotations

import sys

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader

from accounts.vault.base import SealingUnavailable
from authserver.errors import OAuthError, json_response
from authserver.keys.base import SigningUnavailable
from authserver.middleware import speaks_json

log = structlog.get_logger(__name__)

PASSING = (OperationalError, InterfaceError, SealingUnavailable, SigningUnavailable)
"""The database, the KMS or the signing key cannot be had at the moment; nothing was lost or given out."""
RETRY_AFTER = {"Retry-After": "1"}


def try_again(failure: Exception) -> OAuthError:
    """What a machine hears of one of `PASSING`. The log says which, and not where: its text may name a host."""
    log.error("unavailable", error=type(failure).__name__)
    return OAuthError("temporarily_unavailable", "Try again in a moment.", status=503, headers=RETRY_AFTER)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`: called while the exception that nobody caught is being handled."""
    failure = sys.exc_info()[1]
    passing = isinstance(failure, PASSING)
    if speaks_json(request):
        error = (
            try_again(failure)
            if isinstance(failure, PASSING)
            else OAuthError("server_error", "This is our fault.", status=500)
        )
        return json_response(error.as_json(), 503 if passing else 500, error.headers)
    status = 503 if passing else 500
    # Without context processors: one of them may be what failed.
    page = loader.get_template(f"{status}.html").render({"request_id": getattr(request, "id", "")})
    headers = {"Cache-Control": "no-store", **(RETRY_AFTER if passing else {})}
    return HttpResponse(page, status=status, headers=headers)
