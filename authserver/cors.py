"""Cross-origin access for the machine endpoints (OAuth 2.1 section 3.2): any web page, never with cookies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

from authserver.errors import OAuthError, render

MAX_AGE_SECONDS = 600
# `*` does not cover Authorization; MCP clients send their protocol version even to metadata.
_HEADERS = "*, Authorization, Content-Type, MCP-Protocol-Version"
_EXPOSED = "WWW-Authenticate, Retry-After, ETag, X-Request-ID"

_FOR_SERVERS = "answer_is_for_servers"

View = Callable[..., HttpResponse]


def for_servers(request: HttpRequest) -> None:
    """Said by a view that finds out that no web page has any business with its answer: then none may read it."""
    setattr(request, _FOR_SERVERS, True)


def cross_origin(methods: Sequence[str]) -> Callable[[View], View]:
    """Answer preflights, refuse methods other than `methods` with 405 and `Allow`, and let any origin read the answer.

    The origin is always `*` and credentials are never allowed, so a browser sends no cookie; there is then nothing for
    CSRF protection to protect, and the view is exempt from it. Only for views that read no cookie.
    """
    allowed = ", ".join([*methods, "OPTIONS"])

    def decorate(view: View) -> View:
        @wraps(view, updated=())  # some views are objects: their state is theirs
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method == "OPTIONS":
                response = HttpResponse(status=204)
                response["Allow"] = allowed
                response["Access-Control-Allow-Methods"] = allowed
                response["Access-Control-Allow-Headers"] = _HEADERS
                response["Access-Control-Max-Age"] = str(MAX_AGE_SECONDS)
            elif request.method not in methods:
                error = OAuthError("invalid_request", f"Use {' or '.join(methods)} here.", status=405)
                response = render(error)
                response["Allow"] = allowed
            else:
                response = view(request, *args, **kwargs)
            if not getattr(request, _FOR_SERVERS, False):
                response["Access-Control-Allow-Origin"] = "*"
                response["Access-Control-Expose-Headers"] = _EXPOSED
            return response

        wrapper.csrf_exempt = True  # type: ignore[attr-defined]  # how Django's middleware is told
        return wrapper

    return decorate
