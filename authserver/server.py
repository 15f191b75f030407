"""oauthlib's token endpoint with the three grants we serve, and no others to switch on by accident."""

from __future__ import annotations

from typing import Any

from oauthlib.oauth2.rfc6749.endpoints.token import TokenEndpoint
from oauthlib.oauth2.rfc6749.grant_types import AuthorizationCodeGrant, RefreshTokenGrant
from oauthlib.oauth2.rfc6749.tokens import TokenBase

from authserver import mint
from authserver.claims import about
from authserver.exchange.grant import TokenExchangeGrant
from authserver.grant_types import TOKEN_EXCHANGE
from authserver.grants import context
from authserver.grants.targets import lifetime_seconds


class SessionToken(TokenBase):
    """Our token handler: a signed `at+jwt` for the session that the grant's row names."""

    def create_token(self, request: Any, refresh_token: bool = False) -> dict[str, Any]:
        """The answer of RFC 6749 section 5.1; the validator's `save_token` adds the refresh token as it stores it."""
        ours = context.of(request)
        if ours.replayed is not None or ours.resource is None or ours.client is None:
            return {}  # the kept answer takes its place
        scope, person = " ".join(request.scopes), request.user
        seconds = lifetime_seconds(ours.resource)
        token: dict[str, Any] = {
            "access_token": mint.access_token(
                subject=person.pk,
                audience=ours.resource.identifier,
                client_id=ours.client.client_id,
                scope=scope,
                tsid=ours.tsid,
                lifetime_seconds=seconds,
                now=ours.now,
                about=about(name=person.name, email=person.email, scopes=request.scopes, only=ours.resource.claims),
            ),
            "token_type": "Bearer",
            "expires_in": seconds,
            "scope": scope,
        }
        if "openid" in request.scopes:
            token["id_token"] = mint.id_token(
                subject=person.pk,
                client_id=ours.client.client_id,
                access_token=token["access_token"],
                nonce=ours.grant.nonce if ours.grant is not None else "",
                auth_time=ours.auth_time,
                now=ours.now,
                about=about(name=person.name, email=person.email, scopes=request.scopes),
            )
        return token

    def validate_request(self, request: Any) -> bool:
        """Bearer requests are checked by `verify`, never here."""
        return False

    def estimate_type(self, request: Any) -> int:
        return 0


class Server(TokenEndpoint):
    """django-oauth-toolkit's `OAUTH2_SERVER_CLASS`. Authorization, introspection and the rest are our own views."""

    def __init__(self, request_validator: Any, *args: Any, **kwargs: Any) -> None:
        handler: Any = SessionToken()  # the stubs ask for a name; the endpoint hands it to its grants as it is
        super().__init__(
            default_grant_type="authorization_code",
            default_token_type=handler,
            grant_types={
                "authorization_code": AuthorizationCodeGrant(request_validator),
                "refresh_token": RefreshTokenGrant(request_validator),
                TOKEN_EXCHANGE: TokenExchangeGrant(),
            },
        )
        self.request_validator = request_validator
