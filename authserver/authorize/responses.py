"""What the client hears at its redirect URI."""

from __future__ import annotations

from urllib.parse import urlencode

from authserver.authorize.request import Destination
from authserver.conf import load
from authserver.errors import OAuthError


def client_url(to: Destination, parameters: dict[str, str]) -> str:
    """The redirect URI with the answer added: its own query kept, `state` as it came, `iss` (RFC 9207)."""
    answer = dict(parameters)
    if to.state is not None:
        answer["state"] = to.state
    if load().authorization_response_iss:
        answer["iss"] = load().issuer
    joint = "&" if "?" in to.redirect_uri else "?"
    if to.redirect_uri.endswith(("?", "&")):
        joint = ""
    return to.redirect_uri + joint + urlencode(answer)


def error_url(to: Destination, error: OAuthError) -> str:
    return client_url(to, {"error": error.error, "error_description": error.description})
