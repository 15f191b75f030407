"""`/oauth/token` (RFC 6749 section 3.2): one door, one grant class each behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import structlog
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views import View
from oauth2_provider.views.mixins import OAuthLibMixin
from oauthlib.oauth2 import OAuth2Error

from authserver.cors import cross_origin
from authserver.endpoint import limited
from authserver.errors import OAuthError, render
from authserver.failures import PASSING, try_again

log = structlog.get_logger("oauth.token")


class TokenView(OAuthLibMixin, View):
    """POST only; form-encoded only; the query string is never read."""

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            _, _, body, status = self.create_token_response(request)
        except OAuthError as error:
            return render(limited(error, request))
        except OAuth2Error as error:
            return render(
                OAuthError(error.error or "invalid_request", error.description or "Refused.", status=error.status_code)
            )
        except PASSING as error:
            return render(try_again(error))
        except DatabaseError as error:
            log.exception("storage refused", error=type(error).__name__)
            return render(OAuthError("server_error", "The request could not be stored.", status=500))
        response = HttpResponse(body, status=status, content_type="application/json")
        response["Cache-Control"] = "no-store"
        response["Pragma"] = "no-cache"
        if status != 200:
            log.info("refused", status=status, body=body)
        return response


_view = cast("Callable[..., HttpResponse]", TokenView.as_view())
token = cross_origin(methods=("POST",))(_view)
