"""`/api/v1/token`: a resource server's short access token for this API (RFC 6749 section 4.4).

So that a plain OAuth library can be pointed at it, and the secret travels once in five minutes. A door of its own:
`/oauth/token` gives `client_credentials` to nobody.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from authserver import mint
from authserver.api import described
from authserver.api.callers import FORM_FIELDS, audience, authenticate
from authserver.errors import OAuthError, json_response
from authserver.parameters import form


class AccessToken(APIView):
    """POST only; Basic, or `client_id` and `client_secret` in the form."""

    authentication_classes = ()
    permission_classes = ()
    http_method_names = ("post",)

    @extend_schema(**described.ACCESS_TOKEN, operation_id="create_access_token")
    def post(self, request: Request) -> Any:
        fields = form(request._request, FORM_FIELDS)
        if not fields.get("grant_type"):
            raise OAuthError("invalid_request", "grant_type is missing: it is client_credentials.")
        if fields["grant_type"] != "client_credentials":
            raise OAuthError("unsupported_grant_type", "Only grant_type=client_credentials is served here.")
        if "scope" in fields:
            raise OAuthError("invalid_scope", "This API has no scopes: what you may read follows from your resources.")
        caller = authenticate(request._request, by_secret=True)
        token = mint.caller_token(client_id=caller.client_id, audience=audience(), now=timezone.now())
        return json_response(
            {"access_token": token, "token_type": "Bearer", "expires_in": mint.CALLER_TOKEN_LIFETIME_SECONDS}
        )
