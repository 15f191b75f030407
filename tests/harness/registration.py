"""Registration requests by Django's test client: bytes in, answer out. And whom an id names afterwards."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.test import Client as Http

from authserver import clients
from authserver.models import Client

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


def resolved(client_id: str, *, now: datetime) -> Client | None:
    """The client that the authorization endpoint would meet, or None where it would refuse it."""
    try:
        return clients.resolve(client_id, now=now)
    except clients.UnknownClient:
        return None
