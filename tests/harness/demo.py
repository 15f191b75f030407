"""The demo provider from outside: its knobs, its counters, and what the demo's MCP server sends us."""

from __future__ import annotations

from typing import Any

import httpx

from tests.harness.oauth import ACCESS_TOKEN, TOKEN_EXCHANGE
from tests.harness.server import Server


def knobs(server: Server, method: str, **settings: Any) -> dict[str, Any]:
    """GET, POST (turn some) or DELETE (all as they were, counters at zero); the counters."""
    answer = httpx.request(
        method,
        f"{server.url}/demo/idp/knobs",
        auth=("authserver-demo", server.secret("demo_client_secret")),
        json=settings or None,
    )
    assert answer.status_code == 200, answer.text
    counters: dict[str, Any] = answer.json()["counters"]
    return counters


def exchange_form(server: Server, access_token: str) -> dict[str, str]:
    """A token exchange by the demo's MCP server."""
    return {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": access_token,
        "subject_token_type": ACCESS_TOKEN,
        "client_id": "demo-mcp-server",
        "client_secret": server.secret("demo_resource_server_secret"),
    }
