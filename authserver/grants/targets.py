"""The resource of a token request (RFC 8707 section 2.2) and what follows from it."""

from __future__ import annotations

from authserver import policy
from authserver.errors import OAuthError
from authserver.grants.context import TokenContext
from authserver.models import Resource
from authserver.resources import canonical


def check_target(context: TokenContext, authorized: Resource) -> None:
    """At the token endpoint `resource` equals the authorized one or is absent. Raises invalid_target."""
    if not authorized.enabled:
        raise OAuthError("invalid_target", "The resource is not served at present.", detail="disabled resource")
    asked = context.parameters.get("resource")
    if asked is None:
        return
    try:
        same = canonical(asked) == authorized.canonical
    except ValueError:
        same = False
    if not same:
        raise OAuthError("invalid_target", "The resource is not the one that was authorized.")


def lifetime_seconds(resource: Resource) -> int:
    """How long an access token for this resource lives."""
    return resource.access_token_lifetime_seconds or policy.current().lifetimes.access_token
