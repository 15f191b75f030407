"""OAuth errors for machines: one class, one renderer.

`description` is for the client's developer and holds no secret; `detail` is for our log alone.
"""

from __future__ import annotations

from typing import Any

import structlog
from django.http import HttpResponse, JsonResponse

log = structlog.get_logger("oauth")

BASIC_CHALLENGE = {"WWW-Authenticate": 'Basic realm="authserver", charset="UTF-8"'}


class OAuthError(Exception):
    """An error of RFC 6749 section 5.2 or one of its extensions. `members` are added to the JSON answer."""

    def __init__(
        self,
        error: str,
        description: str,
        *,
        status: int = 400,
        detail: str = "",
        headers: dict[str, str] | None = None,
        members: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.members = members or {}

    def as_json(self) -> dict[str, Any]:
        return {"error": self.error, "error_description": self.description, **self.members}


def invalid_client(detail: str, *, tried_basic: bool = False) -> OAuthError:
    """RFC 6749 section 5.2: 401, with a Basic challenge where Basic was tried. The same words whatever was wrong."""
    return OAuthError(
        "invalid_client",
        "Client authentication failed, or this client is not registered here.",
        status=401,
        detail=detail,
        headers=BASIC_CHALLENGE if tried_basic else None,
    )


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """A JSON answer that nobody may store (RFC 6749 section 5.1)."""
    response = JsonResponse(body, status=status)
    response["Cache-Control"] = "no-store"
    response["Pragma"] = "no-cache"
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def render(error: OAuthError) -> HttpResponse:
    """The answer to a machine, and the one log line that goes with it."""
    log.info("refused", error=error.error, status=error.status, reason=error.detail or error.description)
    return json_response(error.as_json(), error.status, error.headers)
