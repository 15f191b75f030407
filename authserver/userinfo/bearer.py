"""Reading a bearer token (RFC 6750 section 2), and the challenges that refuse one (section 3)."""

from __future__ import annotations

from django.http import HttpRequest

from authserver.errors import OAuthError
from authserver.parameters import FORM, form, query

FIELD = frozenset({"access_token"})
NO_TOKEN = {"WWW-Authenticate": 'Bearer realm="authserver"'}
"""Section 3.1: whoever presents nothing hears of no error, only of what is wanted."""


def presented(request: HttpRequest) -> str | None:
    """The token, unchecked: of the header, or of the form of a POST. None where there is none.

    Raises `OAuthError` 400 for two at once (section 2), and for one in the address, which everything in between logs
    (OAuth 2.1 section 5.1).
    """
    if FIELD & query(request).keys():
        raise malformed("An access token does not belong into the address: send it in the Authorization header.")
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    in_header = token.strip() if scheme.lower() == "bearer" else None
    in_form = form(request, FIELD).get("access_token") if _has_form(request) else None
    if in_header is not None and in_form is not None:
        raise malformed("Send the access token in one way, not two.")
    return in_form if in_header is None else in_header


def _has_form(request: HttpRequest) -> bool:
    """Section 2.2; a POST with the token in its header may carry no body, or any."""
    return request.method == "POST" and request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() == FORM


def malformed(description: str) -> OAuthError:
    return OAuthError("invalid_request", description, headers={"WWW-Authenticate": 'Bearer error="invalid_request"'})


def invalid(detail: str) -> OAuthError:
    """The same words whatever is wrong with it: expired, revoked, malformed, another's. The log knows."""
    return OAuthError(
        "invalid_token",
        "The access token is not valid: expired, revoked, or not one of this server's.",
        status=401,
        detail=detail,
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )


def insufficient(scope: str) -> OAuthError:
    return OAuthError(
        "insufficient_scope",
        f"The access token was not approved for the scope {scope}.",
        status=403,
        headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
    )
