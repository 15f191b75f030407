"""`POST /oauth/backchannel-logout/<upstream>`: an upstream signs somebody out (OpenID Connect Back-Channel Logout 1.0).

One address for each upstream, as callbacks have: whose token it is to be is known before it is looked at. Nothing here is
for browsers: no cookie is read or set, and no web page may read the answer.
"""

from __future__ import annotations

import hashlib

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from authserver import limits
from authserver.addresses import client_address, network_of
from authserver.endpoint import answering
from authserver.errors import OAuthError
from authserver.logout.ending import end
from authserver.models import UsedAssertion
from authserver.parameters import form
from upstream import logout_token
from upstream.logout_token import InvalidLogoutToken, KeysUnavailable, LogoutToken
from upstream.models import Provider

PARAMETERS = frozenset({"logout_token"})
RETRY_AFTER = {"Retry-After": "10"}


@csrf_exempt  # the token's signature says who sends it, and no cookie counts
@answering
def backchannel_logout(request: HttpRequest, upstream: str) -> HttpResponse:
    """Section 2.8: 200 where everything named has ended, now or before; 400 for a token that does not pass.

    Noted as used when all is done: a retry after a failure of ours is no replay, and ending what has ended does nothing.
    """
    if request.method != "POST":
        raise OAuthError("invalid_request", "Use POST here.", status=405, headers={"Allow": "POST"})
    address = client_address(request)
    limits.enforce("backchannel_logout", f"address {network_of(address)}")
    unverified = form(request, PARAMETERS).get("logout_token")
    if unverified is None:
        raise OAuthError("invalid_request", "logout_token is missing (Back-Channel Logout 1.0 section 2.5).")
    provider = Provider.objects.filter(name=upstream[:32]).first()
    if provider is None:
        raise OAuthError("invalid_request", "There is no upstream of this name here.")
    token = checked(provider, unverified)
    end(provider.name, token, address=address)
    note_used(provider, token)
    response = HttpResponse(status=200)
    response["Cache-Control"] = "no-store"  # section 2.8
    return response


def checked(provider: Provider, unverified: str) -> LogoutToken:
    """The token, of this upstream's and not used before. Raises `OAuthError`."""
    try:
        token = logout_token.check(provider, unverified, now=timezone.now())
    except InvalidLogoutToken as flaw:
        raise OAuthError("invalid_request", f"The logout token is not accepted: {flaw}.", detail=str(flaw)) from None
    except KeysUnavailable as failure:
        words = "The upstream's keys cannot be had at the moment, so the logout token cannot be checked. Send it again."
        raise OAuthError(
            "temporarily_unavailable", words, status=503, detail=str(failure), headers=RETRY_AFTER
        ) from None
    if UsedAssertion.objects.filter(pk=digest(provider, token)).exists():
        raise OAuthError("invalid_request", "The logout token is not accepted: its jti was used before.")
    return token


def note_used(provider: Provider, token: LogoutToken) -> None:
    """Section 2.6 step 8, for as long as the token would pass otherwise. One that came twice at once has done no harm."""
    try:
        with transaction.atomic():
            UsedAssertion(digest=digest(provider, token), expires_at=token.good_until).save(force_insert=True)
    except IntegrityError:
        pass


def digest(provider: Provider, token: LogoutToken) -> str:
    """Beside those of clients' assertions, and never one of them: no client is called so."""
    return hashlib.sha256(f"backchannel-logout\n{provider.name}\n{token.jti}".encode()).hexdigest()
