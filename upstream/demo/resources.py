"""What access tokens open: userinfo (OpenID Connect Core s5.3) and "the upstream API"."""

from __future__ import annotations

from django.http import HttpResponse

from . import grants
from .addresses import issuer
from .endpoint import Call, machine_endpoint
from .errors import OAuthError
from .models import AccessToken
from .people import BY_SUBJECT


@machine_endpoint("userinfo", "userinfo_requests", "GET", "POST")
def userinfo(call: Call) -> HttpResponse:
    token = _bearer(call)
    if "openid" not in token.scopes:
        raise _challenge("insufficient_scope", "the scope openid is needed", 403)
    return call.answer(BY_SUBJECT[token.grant.subject].claims(token.scopes))


@machine_endpoint("api", "api_calls", "GET")
def me(call: Call) -> HttpResponse:
    """Who the token speaks for, and what it may do: any live token will do."""
    token = _bearer(call)
    person = BY_SUBJECT[token.grant.subject]
    return call.answer(
        {
            "login": person.login,
            "sub": person.subject,
            "name": person.name,
            "email": person.email,
            "scopes": token.scopes,
            "client_id": token.grant.client_id,
            "token_expires_in": int((token.expires_at - call.now).total_seconds()),
        }
    )


def _bearer(call: Call) -> AccessToken:
    """The live token of the Authorization header; no other place is looked at (RFC 6750 s2.1)."""
    scheme, _, presented = call.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not presented:
        raise _challenge("", "an access token is needed", 401)
    token = grants.live_access_token(presented.strip(), call.now)
    if token is None:
        raise _challenge("invalid_token", "the access token is unknown, expired or revoked", 401)
    return token


def _challenge(error: str, description: str, status: int) -> OAuthError:
    """RFC 6750 s3: a request without a token is told no error code."""
    challenge = f'Bearer realm="{issuer()}"' + (
        f', error="{error}", error_description="{description}"' if error else ""
    )
    return OAuthError(error or "invalid_token", description, status, {"WWW-Authenticate": challenge})
