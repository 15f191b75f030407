"""What the machine endpoints have in common: whatever goes wrong becomes an OAuth error in JSON, never a page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from authserver import limits
from authserver.addresses import client_address, network_of
from authserver.errors import OAuthError, render
from authserver.failures import PASSING, try_again

log = structlog.get_logger("oauth")

View = Callable[..., HttpResponse]


def answering(view: View) -> View:
    """Turn what the view raises into the endpoint's own errors."""

    @wraps(view)
    def wrapper(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, **kwargs)
        except OAuthError as error:
            return render(limited(error, request))
        except PASSING as error:
            return render(try_again(error))
        except DatabaseError as error:
            log.exception("storage refused", error=type(error).__name__)
            return render(OAuthError("server_error", "The request could not be stored.", status=500))

    return wrapper


def limited(error: OAuthError, request: HttpRequest) -> OAuthError:
    """Failed client authentication counts by network; past the limit a failure is answered 429.

    A right secret is taken all the same: one wrong caller must not keep those out who share its address.
    """
    if error.error == "invalid_client":
        try:
            limits.enforce("client_authentication", f"address {network_of(client_address(request))}")
        except OAuthError as too_much:
            return too_much
    return error
