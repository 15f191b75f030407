"""oauthlib's request validator: leaf hooks only, each handing to the module that owns the decision.

What we decide about a request lives in `grants.context`, never in an attribute that a form field could fake.
"""

from __future__ import annotations

from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator

from accounts import tracing
from authserver import clients, limits, logs
from authserver.client_authentication import check_client
from authserver.codes import find as find_code
from authserver.errors import OAuthError
from authserver.grants import code, context, refresh


class Validator(OAuth2Validator):
    """django-oauth-toolkit's `OAUTH2_VALIDATOR_CLASS`."""

    # --- who is asking ---
    def client_authentication_required(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Always: a public client authenticates by being known as one."""
        return True

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Load the row that the presented code or refresh token names, and with it the client: one joined read."""
        ours = context.of(request)
        parameters = ours.parameters
        row: Any = None
        if parameters["grant_type"] == "authorization_code":
            row = ours.grant = find_code(parameters.get("code", ""))
        else:
            ours.genuine, row = refresh.find(parameters.get("refresh_token", ""))
            ours.refresh = row
        client = None
        for client_id in ours.presented.client_ids:
            named = row is not None and row.application.client_id == client_id
            client = row.application if named else clients.known(client_id)
            if client is not None:
                break
        ours.client = request.client = check_client(client, ours.presented, now=ours.now)
        logs.about(client_id=ours.client.client_id, **({"tsid": row.tsid} if row is not None else {}))
        if row is not None:
            tracing.link(f"session:{row.tsid}")
        if not ours.client.is_public:  # anybody can write a public client's name, and use up everybody's allowance
            limits.enforce("token", f"client {ours.client.client_id}")
        request.client_id = ours.client.client_id
        return True

    def authenticate_client_id(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Never without `authenticate_client`."""
        return False

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        return grant_type in client.grant_types

    # --- authorization_code ---
    def validate_code(self, client_id: str, code_: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        ours = context.of(request)
        code.check(ours)
        assert ours.grant is not None  # noqa: S101 - `check` refused that
        request.user = ours.grant.user
        request.scopes = ours.grant.scope.split()
        return True

    def get_code_challenge(self, code_: str, request: Any) -> str:
        grant = context.of(request).grant
        return grant.code_challenge if grant else ""

    def get_code_challenge_method(self, code_: str, request: Any) -> str:
        return "S256"

    def get_default_redirect_uri(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> str:
        """OAuth 2.1 section 10.2: an absent redirect_uri is the authorized one; PKCE binds the code."""
        grant = context.of(request).grant
        return grant.redirect_uri if grant else ""

    def confirm_redirect_uri(
        self, client_id: str, code_: str, redirect_uri: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """`code.check` compared it already; asked again by oauthlib, answered from the same row."""
        grant = context.of(request).grant
        return grant is not None and grant.redirect_uri == redirect_uri

    def invalidate_authorization_code(
        self, client_id: str, code_: str, request: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Done before: `code.save` claims the code in the transaction that stores what it gives."""

    # --- refresh_token ---
    def validate_refresh_token(self, refresh_token: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        ours = context.of(request)
        refresh.check(ours)
        assert ours.refresh is not None  # noqa: S101 - `check` refused that
        request.user = ours.refresh.user
        return True

    def get_original_scopes(self, refresh_token: str, request: Any, *args: Any, **kwargs: Any) -> list[str]:
        return context.of(request).held_scopes

    # --- both ---
    def save_token(self, token: dict[str, Any], request: Any, *args: Any, **kwargs: Any) -> None:
        ours = context.of(request)
        if ours.refresh is not None:
            refresh.save(ours, token)
        elif ours.grant is not None:
            code.save(ours, token)
        else:
            raise OAuthError("invalid_grant", "There is nothing to issue a token for.")
