"""The words and examples of the API's description; `views` and `token` attach them to their methods."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from authserver.api import serializers
from authserver.api.pages import DEFAULT_LIMIT, MAX_LIMIT
from authserver.conf import load
from authserver.mint import CALLER_TOKEN_LIFETIME_SECONDS

FORM = "application/x-www-form-urlencoded"
PROBLEM = "application/problem+json"
CREDENTIALS = {FORM: serializers.Credentials}


class CallersExtension(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # drf-spectacular's
    """How a caller says who it is. The third way, a form, is the POST twins' request body."""

    target_class = "authserver.api.callers.ResourceServerAuthentication"
    name = ["basic", "token"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        flow = {"tokenUrl": load().url("/api/v1/token"), "scopes": {}}
        return [
            {"type": "http", "scheme": "basic", "description": "A resource server's client_id and client_secret."},
            {"type": "oauth2", "flows": {"clientCredentials": flow},
             "description": f"A short access token, good for {CALLER_TOKEN_LIFETIME_SECONDS} seconds."},
        ]  # fmt: skip


def _problem(words: str, **example: Any) -> OpenApiResponse:
    status, error = example.pop("status"), example.pop("error")
    document = {"type": "about:blank", "title": example.pop("title"), "status": status, "detail": words,
                "error": error, "error_description": words, **example}  # fmt: skip
    return OpenApiResponse(serializers.Problem, words, examples=[OpenApiExample(error, value=document)])


TSID = OpenApiParameter(
    "tsid", str, OpenApiParameter.PATH, description="The `tsid` claim of the access token you hold."
)
_TOKEN = {
    "upstream": "github",
    "access_token": "gho_…",
    "token_type": "Bearer",
    "expires_in": 28300,
    "scope": "repo read:user",
}
_STATE = {
    "upstream": "google",
    "error": "invalid_grant",
    "error_description": "The person has not connected Google.",
    "state": "not_connected",
    "connect_url": "https://auth.example.com/oauth/connect/…",
}
_SESSION = {
    "tsid": "f3bGk0…",
    "resource": "https://mcp.example.com/mcp",
    "sub": "0c6ab2b4-8f4e-4b8e-9a5c-1d7c2f3b4a5d",
    "client_id": "https://client.example.com/metadata.json",
    "scope": "mcp:tools",
    "expires_at": "2027-02-23T12:00:00+00:00",
    "upstream_tokens": [_TOKEN, _STATE],
}

UNAUTHORIZED = _problem(
    "Client authentication failed, or this client is not registered here.",
    status=401, error="invalid_client", title="Not a resource server",
)  # fmt: skip
NOT_FOUND = _problem(
    "There is no live session of this tsid for a resource of yours. If it has ended, the client has to authorize again.",
    status=404, error="not_found", title="Nothing of yours",
)  # fmt: skip
UNREADABLE = _problem(
    f"limit is a number from 1 to {MAX_LIMIT}.", status=400, error="invalid_request", title="The request cannot be read"
)
TOO_MANY = _problem(
    "Too many requests. Try again in 12 seconds.", status=429, error="temporarily_unavailable", title="Not now"
)
UNKNOWN_CURSOR = _problem(
    "since is the value of next in the last answer; leave it out to begin.",
    status=400, error="invalid_request", title="The request cannot be read",
)  # fmt: skip
AWAY = _problem("Try again in a moment.", status=503, error="temporarily_unavailable", title="Not now")
NOT_NOW = _problem(
    "GitHub does not answer properly at the moment. Try again shortly.",
    status=503, error="temporarily_unavailable", title="Not now", state="temporarily_unavailable",
)  # fmt: skip
NO_TOKEN = _problem(
    "GitHub no longer honours the stored grant; the person must sign in again.",
    status=400, error="invalid_grant", title="No token at the moment", upstream="github",
    state="needs_reauthorization", connect_url="https://auth.example.com/oauth/connect/…",
)  # fmt: skip


def _responses(good: OpenApiResponse, **problems: OpenApiResponse) -> dict[Any, OpenApiResponse]:
    always = {"401": UNAUTHORIZED, "429": TOO_MANY, "503": AWAY}
    described = always | {name.removeprefix("_"): response for name, response in problems.items()}
    return {(200, "application/json"): good, **{(int(code), PROBLEM): one for code, one in sorted(described.items())}}


ALL_TOKENS: dict[str, Any] = {
    "summary": "All upstream tokens of a session",
    "description": (
        "Each upstream that the session's resource names, in the configuration's order: a token, fresh for at least a "
        "minute where that can be, or the state that stands in its way. One that is broken hides no other. Send the "
        "person to `connect_url` where there is one; try again after `retry_after` seconds where there is that."
    ),
    "parameters": [
        TSID,
        OpenApiParameter("upstream", str, description="Only these upstreams: names, separated by commas."),
        OpenApiParameter("limit", int, description=f"How many at once, 1 to {MAX_LIMIT}; {DEFAULT_LIMIT} by default."),
        OpenApiParameter("cursor", str, description="Where to go on; take the whole address in `next`."),
    ],
    "responses": _responses(
        OpenApiResponse(
            serializers.Session, "The session and its upstreams.", examples=[OpenApiExample("two", value=_SESSION)]
        ),
        _400=UNREADABLE,
        _404=NOT_FOUND,
        _503=NOT_NOW,
    ),
    "tags": ["upstream tokens"],
}
ONE_TOKEN: dict[str, Any] = {
    "summary": "One upstream token of a session",
    "description": "A token, fresh for at least a minute where that can be, or the error that token exchange answers.",
    "parameters": [
        TSID,
        OpenApiParameter("upstream", str, OpenApiParameter.PATH, description="The upstream's name."),
        OpenApiParameter("scope", str, description="Upstream scopes that the token must have, space-separated."),
    ],
    "responses": _responses(
        OpenApiResponse(serializers.UpstreamToken, "The token.", examples=[OpenApiExample("token", value=_TOKEN)]),
        _400=NO_TOKEN,
        _404=NOT_FOUND,
        _503=NOT_NOW,
    ),
    "tags": ["upstream tokens"],
}
REVOCATIONS: dict[str, Any] = {
    "summary": "Sessions that have ended",
    "description": (
        "For servers that check our access tokens against the JWKS alone: the tsids of their resources' sessions that have "
        "ended while access tokens of them may still verify. Ask again with `since`; with `wait` the answer comes as soon "
        "as there is something, or says that there is nothing. `Retry-After` says that nobody can wait at the moment. "
        "With `If-None-Match` nothing new is a 304."
    ),
    "parameters": [
        OpenApiParameter("since", str, description="`next` of the last answer; leave it out to begin."),
        OpenApiParameter("wait", int, description="Seconds to wait for something new, 0 to 25; 0 by default."),
    ],
    "responses": _responses(
        OpenApiResponse(
            serializers.Revocations,
            "What has ended since.",
            examples=[
                OpenApiExample(
                    "one",
                    value={
                        "revocations": [{"tsid": "f3bGk0…", "ended_at": "2027-02-23T12:00:00.000+00:00"}],
                        "next": "1803384000000000.2c26b46b68ffc68f",
                        "keep_for_seconds": 3600,
                    },
                )
            ],
        ),
        _400=UNKNOWN_CURSOR,
    ),
    "tags": ["revocation"],
}
ACCESS_TOKEN: dict[str, Any] = {
    "summary": "A short access token for this API",
    "description": "RFC 6749 section 4.4, for resource servers only. Authenticate by Basic, or in the form.",
    "request": {FORM: serializers.TokenRequest},
    "responses": _responses(
        OpenApiResponse(
            serializers.AccessToken,
            "The token, for `Authorization: Bearer`.",
            examples=[OpenApiExample("token", value={"access_token": "eyJ…", "token_type": "Bearer", "expires_in": 300})],
        ),
        _400=_problem(
            "Only grant_type=client_credentials is served here.",
            status=400, error="unsupported_grant_type", title="unsupported_grant_type",
        ),
    ),
    "auth": [{"basic": []}, {}],
    "tags": ["access token"],
}  # fmt: skip
