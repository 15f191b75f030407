"""Finding the client that a `client_id` names, whichever way it became one.

What is found may be disabled: ask `client.is_usable(None)` before serving it, so that the answer can say why.
"""

from __future__ import annotations

import re
from datetime import datetime

from accounts.prepared import Prepared, slot
from authserver import cimd
from authserver.cimd.errors import UnusableDocument
from authserver.models import MAX_URI, Client

_SHAPE = re.compile(
    r"[\x21-\x7e]+"
)  # RFC 6749 appendix A.1 without the space; keeps NUL and half UTF-8 from the database


_BY_ID: Prepared[Client] = Prepared(lambda: Client.objects.select_related("app").filter(client_id=slot("client_id")))


class UnknownClient(Exception):
    """No such client. The message is a sentence for the client's developer."""


def known(client_id: str) -> Client | None:
    """The client as the database has it; one statement, and nothing is fetched."""
    if len(client_id) > MAX_URI or not _SHAPE.fullmatch(client_id):
        return None
    return _BY_ID.first(client_id=client_id)


def resolve(client_id: str, *, now: datetime, network: str = "") -> Client:
    """As `known`, and for an https URL its metadata document, fetched when there is none or it is old.

    For the authorization endpoint, where a client is met first. What is new counts as a registration from this `network`.
    Raises `UnknownClient`, `limits.TooMany`.
    """
    client = known(client_id)
    if client_id.startswith(cimd.PREFIX):
        try:
            return cimd.resolve(client_id, client, now=now, network=network)
        except UnusableDocument as error:
            raise UnknownClient(str(error)) from None
    if client is None:
        raise UnknownClient("This client_id is not registered here.")
    return client
