"""`POST /oauth/introspect`, as JSON or, where asked for, as a signed JWT (RFC 9701)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from accounts import metrics
from authserver import limits
from authserver.client_authentication import presented
from authserver.conf import load
from authserver.endpoint import answering
from authserver.errors import OAuthError, json_response, render
from authserver.introspection.lookup import Told, tell
from authserver.keys import signer
from authserver.parameters import form

PARAMETERS = frozenset({"token", "token_type_hint", "client_id", "client_secret"})
SIGNED = "token-introspection+jwt"  # RFC 9701 section 5, media type and `typ`


@csrf_exempt  # no cookie is read
@answering
def introspect(request: HttpRequest) -> HttpResponse:
    """No web page has any business here: no CORS header is sent."""
    if request.method != "POST":
        response = render(OAuthError("invalid_request", "Use POST here (RFC 7662 section 2.1).", status=405))
        response["Allow"] = "POST"
        return response
    parameters = form(request, PARAMETERS)
    given = presented(request.META.get("HTTP_AUTHORIZATION", ""), parameters)
    told = tell(given, parameters.get("token", ""), now=timezone.now())
    limits.enforce("introspect", told.caller)
    if "token" not in parameters:
        raise OAuthError("invalid_request", "token is missing (RFC 7662 section 2.1).")
    metrics.INTROSPECTIONS.count("active" if told.answer.get("active") else "inactive")
    return signed(told) if wants_signed(request) else json_response(told.answer)


def wants_signed(request: HttpRequest) -> bool:
    """RFC 9701 section 4: asked for by name; `*/*` is not."""
    accepted = request.headers.get("Accept", "").split(",")
    return any(one.partition(";")[0].strip().lower() == f"application/{SIGNED}" for one in accepted)


def signed(told: Told) -> HttpResponse:
    """RFC 9701 section 5: for this caller, and no access token whatever is done with it."""
    now = int(timezone.now().timestamp())
    claims = {"iss": load().issuer, "aud": told.caller, "iat": now, "token_introspection": told.answer}
    response = HttpResponse(signer().sign(claims, SIGNED), content_type=f"application/{SIGNED}")
    response["Cache-Control"] = "no-store"
    return response
