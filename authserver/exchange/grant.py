"""Token exchange (RFC 8693): a resource server trades the JWT it was presented for the person's upstream token."""

from __future__ import annotations

import json
from typing import Any

from accounts import tracing
from authserver import access_tokens, limits, logs, verify
from authserver.claims import AccessClaims
from authserver.errors import OAuthError
from authserver.grants import context
from authserver.models import ResourceUpstream
from authserver.release import Asker, Refused, Whose, asked_scopes, describe, release, token_members
from authserver.resource_servers import Standing, authenticate
from upstream.models import Provider
from upstream.refresh import Fresh

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - RFC 8693 section 3
JWT = "urn:ietf:params:oauth:token-type:jwt"
NOT_OURS = OAuthError("invalid_request", "The subject_token is not a live access token of this server.")


class TokenExchangeGrant:
    """Called by the token endpoint as oauthlib calls any grant: returns headers, JSON body, status."""

    def create_token_response(self, request: Any, token_handler: Any) -> tuple[dict[str, str], str, int]:
        ours = context.of(request)
        answer = exchange(ours)
        return {}, json.dumps(answer), 200


def exchange(ours: context.TokenContext) -> dict[str, Any]:
    """The answer of RFC 8693 section 2.2.1. Raises `OAuthError`.

    The JWT is verified first because that costs no statement; the caller hears of it only after it has authenticated.
    """
    parameters = ours.parameters
    claims: AccessClaims | None = None
    try:
        claims = verify.access_token(parameters.get("subject_token", ""), now=ours.now)
        flaw = ""
    except verify.InvalidToken as invalid:
        flaw = str(invalid)
    standing = authenticate(ours.presented, claims)
    limits.enforce(
        "exchange", standing.client_id
    )  # not before: anybody can write a name, and use up another's allowance
    check_shape(parameters)
    if claims is None:
        raise refused(flaw)
    if standing.resource is None or not standing.resource.enabled:
        raise refused("the audience is not one of the caller's resources")
    logs.about(client_id=claims.client_id, tsid=claims.tsid)
    tracing.link(f"session:{claims.tsid}")
    upstream = choose_upstream(standing, parameters)
    wanted = asked_scopes(parameters)
    whose = Whose(claims.tsid, claims.subject, claims.client_id, claims.audience)
    asker = Asker(standing.client_id, ours.address)
    try:
        access_tokens.check(standing.token_was_ended)
        [released] = release(asker, whose, [upstream], wanted_scopes=wanted, now=ours.now)
    except (Refused, verify.InvalidToken) as reason:
        raise refused(str(reason)) from None
    if isinstance(released.outcome, Fresh):
        return {"issued_token_type": ACCESS_TOKEN, **token_members(released.outcome, now=ours.now)}
    raise describe(released, whose)


def refused(detail: str) -> OAuthError:
    """RFC 8693 section 2.2.2: an unacceptable subject token is invalid_request. The reason is for the log."""
    return OAuthError(NOT_OURS.error, NOT_OURS.description, detail=detail)


def check_shape(parameters: dict[str, str]) -> None:
    """What RFC 8693 section 2.1 asks of the parameters."""
    if "subject_token" not in parameters:
        raise OAuthError("invalid_request", "subject_token is missing.")
    if parameters.get("subject_token_type") not in {ACCESS_TOKEN, JWT}:
        raise OAuthError("invalid_request", f"subject_token_type must be {ACCESS_TOKEN} or {JWT}.")
    if parameters.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise OAuthError("invalid_request", f"requested_token_type can only be {ACCESS_TOKEN}.")
    if "actor_token" in parameters or "actor_token_type" in parameters:
        raise OAuthError("invalid_request", "actor_token is not supported.")


def choose_upstream(standing: Standing, parameters: dict[str, str]) -> ResourceUpstream:
    """The upstream that `audience` and `resource` name, or the only one there is.

    RFC 8693 section 2.1 has a logical name for `audience`, but there are callers with one setting for both: it may be the
    address of an API as well. Where both are given they have to mean the same upstream.
    """
    audience, resource = parameters.get("audience"), parameters.get("resource")
    candidates = list(standing.upstreams)
    if audience is not None:
        candidates = [e for e in candidates if e.provider.name == audience or serves(e.provider, audience)]
    if resource is not None:
        candidates = [e for e in candidates if serves(e.provider, resource)]
    if len(candidates) == 1:
        return candidates[0]
    names = ", ".join(entry.provider.name for entry in standing.upstreams) or "none"
    if candidates:
        raise OAuthError("invalid_target", f"This resource has several upstreams ({names}): name one as audience.")
    raise OAuthError("invalid_target", f"This resource has no such upstream. It has: {names}.")


def serves(provider: Provider, address: str) -> bool:
    """Whether this is the address of one of the provider's APIs; some callers add the root slash, some strip it."""
    return address.removesuffix("/") in {api.removesuffix("/") for api in provider.api_resources}
