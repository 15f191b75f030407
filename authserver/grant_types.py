"""The grant types we serve, by their names on the wire."""

from __future__ import annotations

from django.http import HttpRequest

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - RFC 8693 section 2.1, a name
GRANT_TYPES = ("authorization_code", "refresh_token", TOKEN_EXCHANGE)

_NOTED = "oauth_grant_type"


def note(request: HttpRequest, grant_type: str) -> None:
    """Said once it is known to be one of ours."""
    setattr(request, _NOTED, grant_type)


def short_name(request: HttpRequest) -> str:
    """What a metric and a log line call the grant of this request; `other` for what is none of ours."""
    grant_type: str = getattr(request, _NOTED, "other")
    return "token_exchange" if grant_type == TOKEN_EXCHANGE else grant_type
