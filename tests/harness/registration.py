"""Registration requests by Django's test client: bytes in, answer out."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client as Http

REDIRECT_URI = "https://app.example/cb"


def send(body: bytes | str | dict[str, Any], content_type: str = "application/json", **extra: Any) -> Any:
    """POST to the registration endpoint; a dict goes as JSON, `extra` is WSGI environment."""
    data = json.dumps(body) if isinstance(body, dict) else body
    return Http(raise_request_exception=False).post("/oauth/register", data=data, content_type=content_type, **extra)


def register(**metadata: Any) -> Any:
    """POST metadata with one redirect URI, unless another is given."""
    return send({"redirect_uris": [REDIRECT_URI], **metadata})


def registered(**metadata: Any) -> dict[str, Any]:
    """The answer to a registration that succeeds."""
    answer = register(**metadata)
    assert answer.status_code == 201, answer.content
    return answer.json()  # type: ignore[no-any-return]


def manage(method: str, answer: dict[str, Any], body: Any = None, *, token: str | None = None) -> Any:
    """GET, PUT or DELETE a registration with its own token, or another."""
    path = answer["registration_client_uri"].removeprefix("http://localhost:8000")
    bearer = answer["registration_access_token"] if token is None else token
    return Http(raise_request_exception=False).generic(
        method,
        path,
        data="" if body is None else json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {bearer}"} if bearer else {},
    )
