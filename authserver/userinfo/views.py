"""`/oauth/userinfo` (OpenID Connect Core section 5.3).

Working audiences: an access token of ours is for one resource, its `aud`, and this endpoint takes it whichever resource
that is. What opens it is the scope `openid`, which only a person's approval puts there; a resource server that was sent
the token learns here no more than the person approved for it to see. ID tokens, resource servers' own tokens, refresh
and registration tokens are refused: `verify` knows them apart.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import User
from accounts.vault import vault
from accounts.vault.base import SessionGone
from authserver import limits, verify
from authserver.access_tokens import check_still_good
from authserver.addresses import client_address, network_of
from authserver.claims import AccessClaims, about
from authserver.cors import cross_origin
from authserver.errors import OAuthError, json_response, render
from authserver.failures import PASSING, try_again
from authserver.userinfo import bearer
from authserver.verify import InvalidToken


@cross_origin(methods=("GET", "POST"))
def userinfo(request: HttpRequest) -> HttpResponse:
    """`sub`, and what was approved of `name`, `email` and `email_verified`; stored nowhere."""
    try:
        unverified = bearer.presented(request)
        if unverified is None:
            return json_response({}, 401, bearer.NO_TOKEN)
        return json_response(answer(unverified, now=timezone.now()))
    except InvalidToken as reason:
        try:
            limits.enforce("userinfo", f"address {network_of(client_address(request))}")
        except OAuthError as too_much:
            return render(too_much)
        return render(bearer.invalid(str(reason)))
    except OAuthError as error:
        return render(error)
    except PASSING as error:
        return render(try_again(error))


def answer(unverified_jwt: str, *, now: datetime) -> dict[str, Any]:
    """OpenID Connect Core section 5.3.2. Three statements. Raises `InvalidToken`, `OAuthError`.

    The scope is asked last: of a token that is over, nobody hears what it was good for.
    """
    claims = verify.access_token(unverified_jwt, now=now)
    limits.enforce("userinfo", f"session {claims.tsid}")
    check_session(claims, now=now)
    check_still_good(claims)
    scopes = claims.scope.split()
    if "openid" not in scopes:
        raise bearer.insufficient("openid")
    person = User.objects.filter(pk=claims.subject).values_list("name", "email").first()
    if person is None:
        raise InvalidToken("the person is gone")
    name, email = person
    return {"sub": str(claims.subject), **about(name=name, email=email, scopes=scopes)}


def check_session(claims: AccessClaims, *, now: datetime) -> None:
    """The session lives, is the one that the token says it is, and its person is active. Raises `InvalidToken`."""
    try:
        session = vault().sessions.alive(claims.tsid, now=now)
    except SessionGone:
        raise InvalidToken("its session is gone") from None
    if (session.user_id, session.client_id, session.resource) != (claims.subject, claims.client_id, claims.audience):
        raise InvalidToken("its session is another's")
    if not session.user_is_active:
        raise InvalidToken("the person is not active")
