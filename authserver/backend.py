"""The door between Django and oauthlib: only named, checked parameters pass; every way out is our own error shape."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from oauth2_provider.oauth2_backends import OAuthLibCore
from oauthlib.common import Request, urlencode

from authserver import grant_types, limits
from authserver.addresses import client_address, network_of
from authserver.client_authentication import presented
from authserver.cors import for_servers
from authserver.errors import OAuthError
from authserver.grant_types import GRANT_TYPES, TOKEN_EXCHANGE
from authserver.grants.context import TokenContext, attach
from authserver.parameters import form
from authserver.server import Server

TOKEN_PARAMETERS = frozenset(
    {
        "grant_type", "client_id", "client_secret", "code", "redirect_uri", "code_verifier", "refresh_token", "scope",
        "resource", "audience", "subject_token", "subject_token_type", "requested_token_type", "actor_token",
        "actor_token_type", "client_assertion", "client_assertion_type",
    }
)  # fmt: skip


class OAuthCore(OAuthLibCore):
    """django-oauth-toolkit's `OAUTH2_BACKEND_CLASS`."""

    server: Server

    def create_token_response(self, request: HttpRequest) -> tuple[None, dict[str, str], str, int]:
        """Headers, JSON body and status of a token request. Raises `OAuthError`.

        oauthlib's request is made here rather than by its endpoint, so that our context is on it before any hook runs.
        """
        parameters = form(request, TOKEN_PARAMETERS)
        grant_type = parameters.get("grant_type")
        if grant_type is None:
            raise OAuthError("invalid_request", "grant_type is missing.")
        if grant_type not in GRANT_TYPES:
            raise OAuthError("unsupported_grant_type", "This grant type is not served here.")
        grant_types.note(request, grant_type)
        if grant_type == TOKEN_EXCHANGE:
            for_servers(request)
        context = TokenContext(
            now=timezone.now(),
            parameters=parameters,
            presented=presented(request.META.get("HTTP_AUTHORIZATION", ""), parameters),
            address=client_address(request),
        )
        if grant_type != TOKEN_EXCHANGE:  # whose allowance is counted once the caller has proved who it is
            limits.enforce("token", f"address {network_of(context.address)}")
        proofs = {"client_secret", "client_assertion", "client_assertion_type"}
        passed = {name: value for name, value in parameters.items() if name not in proofs}
        asked = Request("/oauth/token", "POST", urlencode(list(passed.items())), {})
        attach(asked, context)
        handler: Any = self.server.grant_types[grant_type]
        asked.scopes = None
        asked.extra_credentials = None
        headers, body, status = handler.create_token_response(asked, self.server.default_token_type)
        return None, headers, body, status
