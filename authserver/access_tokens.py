"""Whether an access token that verifies is still good: what its signature cannot say, and the database can."""

from __future__ import annotations

import hashlib

from django.db.models import Exists

from authserver.claims import AccessClaims
from authserver.models import AccessToken, Client
from authserver.verify import InvalidToken


def check_still_good(claims: AccessClaims) -> None:
    """The client still exists and is enabled, and this very token was not ended. One statement. Raises `InvalidToken`.

    Whether its session lives is the vault's to say.
    """
    ended = AccessToken.objects.filter(token_checksum=jti_checksum(claims.jti))
    usable = Client.objects.filter(Client.usable(), client_id=claims.client_id)
    was_ended = usable.annotate(ended=Exists(ended)).values_list("ended", flat=True).first()
    if was_ended is None:
        raise InvalidToken("the client is gone, disabled, or of a blocked app")
    if was_ended:
        raise InvalidToken("the access token was revoked")


def jti_checksum(jti: str) -> str:
    """How an access token that was ended early is known."""
    return hashlib.sha256(jti.encode()).hexdigest()
