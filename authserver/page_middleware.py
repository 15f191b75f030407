"""Django's middlewares for people's pages. A machine has no cookie, no form and no message, and is let past them.

They keep their own classes as bases, by which the admin's checks find them in `settings.MIDDLEWARE`. Two that other checks
look for by their names alone are there as Django has them: they cost machines next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from csp.middleware import CSPMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.middleware.common import CommonMiddleware
from django_otp.middleware import OTPMiddleware

from authserver.middleware import speaks_json

if TYPE_CHECKING:
    from django.utils.deprecation import MiddlewareMixin as Base
else:
    Base = object

NOTHING = "default-src 'none'; frame-ancestors 'none'"
"""The policy of an answer that is no page."""


class ForPages(Base):
    """Before a middleware of Django's among the bases: it sees people's requests only."""

    get_response: Callable[[HttpRequest], HttpResponse]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if speaks_json(request):
            return self.get_response(request)
        return cast(HttpResponse, super().__call__(request))  # no view of ours is async


class ContentSecurityPolicy(CSPMiddleware):
    """The pages' policy; for what is no page one that never changes, and what `Common` would have added."""

    def __call__(self, request: HttpRequest) -> Any:
        if not speaks_json(request):
            return super().__call__(request)
        response = cast(HttpResponse, self.get_response(request))
        if response.get("Content-Type", "").startswith(
            "text/html"
        ):  # there are pages among machines: the API's description
            response = cast(HttpResponse, self.process_response(request, response))
        response.headers.setdefault("Content-Security-Policy", NOTHING)
        if not response.streaming:
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response


class Sessions(ForPages, SessionMiddleware):
    pass


class Common(ForPages, CommonMiddleware):
    pass


class Authentication(ForPages, AuthenticationMiddleware):
    pass


class SecondFactor(ForPages, OTPMiddleware):
    pass


class Messages(ForPages, MessageMiddleware):
    pass
