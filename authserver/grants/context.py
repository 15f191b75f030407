"""Our own state on oauthlib's request, out of reach of the caller.

oauthlib answers `request.anything` with a form field of that name. So what we decide about a request is kept in one
object in the request's instance dictionary and read only from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from authserver.client_authentication import Presented
from authserver.models import Client, Grant, RefreshToken, Resource
from authserver.refresh_tokens import Genuine

_KEY = "authserver"


@dataclass
class TokenContext:
    """One token request: what was presented, the rows it names, and what we will say."""

    now: datetime
    parameters: dict[str, str] = field(repr=False)
    presented: Presented
    address: str | None = None
    client: Client | None = None
    grant: Grant | None = None
    refresh: RefreshToken | None = None
    genuine: Genuine | None = None
    resource: Resource | None = None
    tsid: str = ""
    held_scopes: list[str] = field(default_factory=list)
    replayed: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def auth_time(self) -> datetime | None:
        """When the person really signed in for this approval, however long ago: the row that it hangs on says so."""
        row = self.grant or self.refresh
        return row.auth_time if row is not None else None


def attach(request: Any, context: TokenContext) -> TokenContext:
    request.__dict__[_KEY] = context
    return context


def of(request: Any) -> TokenContext:
    """The context that `attach` put there; a form field of the same name cannot stand in for it."""
    context = request.__dict__[_KEY]
    assert isinstance(context, TokenContext)  # noqa: S101 - narrows the type; `attach` is the only writer
    return context
