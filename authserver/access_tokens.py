"""Whether an access token that verifies is still good: what its signature cannot say, and the database can."""

from __future__ import annotations

import hashlib

from django.db.models import Exists, QuerySet

from accounts.prepared import Prepared, slot
from authserver.claims import AccessClaims
from authserver.models import AccessToken, Client
from authserver.verify import InvalidToken


def was_ended() -> QuerySet[Client, bool]:
    """Whether the token of this `checksum` was ended, for its client of this `client_id` (slots); no row for a client that
    is gone, disabled or of a blocked app.
    """
    ended = Exists(AccessToken.objects.filter(token_checksum=slot("checksum")))
    usable = Client.objects.filter(Client.usable(), client_id=slot("client_id"))
    rows: QuerySet[Client, bool] = usable.annotate(ended=ended).values_list("ended", flat=True)
    return rows


_WAS_ENDED: Prepared[bool] = Prepared(was_ended)


def check_still_good(claims: AccessClaims) -> None:
    """The client still exists and is enabled, and this very token was not ended. One statement. Raises `InvalidToken`.

    Whether its session lives is the vault's to say.
    """
    check(_WAS_ENDED.first(client_id=claims.client_id, checksum=jti_checksum(claims.jti)))


def check(token_was_ended: bool | None) -> None:
    """The same, for what `was_ended` says, or None where it says nothing. Raises `InvalidToken`."""
    if token_was_ended is None:
        raise InvalidToken("the client is gone, disabled, or of a blocked app")
    if token_was_ended:
        raise InvalidToken("the access token was revoked")


def jti_checksum(jti: str) -> str:
    """How an access token that was ended early is known."""
    return hashlib.sha256(jti.encode()).hexdigest()
