"""Pages of a session's upstreams: `limit` of them, and an opaque `cursor` to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.core import signing

from authserver.errors import OAuthError

DEFAULT_LIMIT, MAX_LIMIT = 20, 100
_SALT = "authserver.api.cursor"

Item = TypeVar("Item")


@dataclass(frozen=True)
class Page:
    """Which part of the list is asked for. `tsid` binds a cursor to its session."""

    tsid: str
    offset: int
    limit: int

    def of(self, items: Sequence[Item]) -> list[Item]:
        return list(items[self.offset : self.offset + self.limit])

    def next_cursor(self, items: Sequence[object]) -> str | None:
        """The cursor of the page after this one; None after the last."""
        end = self.offset + self.limit
        return signing.dumps([self.tsid, end], salt=_SALT) if end < len(items) else None


def page(parameters: dict[str, str], tsid: str) -> Page:
    """The page that the query asks for. Raises `OAuthError` invalid_request."""
    limit = parameters.get("limit", str(DEFAULT_LIMIT))
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 3 and 1 <= int(limit) <= MAX_LIMIT):
        raise OAuthError("invalid_request", f"limit is a number from 1 to {MAX_LIMIT}.")
    if (cursor := parameters.get("cursor")) is None:
        return Page(tsid, 0, int(limit))
    try:
        whose, offset = signing.loads(cursor, salt=_SALT)
    except (signing.BadSignature, ValueError):
        whose, offset = "", 0
    if whose != tsid:
        raise OAuthError("invalid_request", "cursor is not one of this list: take the address in next as it is.")
    return Page(tsid, offset, int(limit))
