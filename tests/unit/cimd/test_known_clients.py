"""Documents of the shape that well-known clients publish: each is read, and its redirects match what it then asks for.

Their ids, redirect URIs, grants and methods are those of the second half of 2026; the rest is of the same kind.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from authserver import redirects
from authserver.cimd import address, document

VSCODE: dict[str, Any] = {
    "client_name": "Visual Studio Code",
    "client_uri": "https://vscode.dev/product",
    "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
    "application_type": "native",
    "client_id": "https://vscode.dev/oauth/client-metadata.json",
    "redirect_uris": ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
}
CLAUDE: dict[str, Any] = {
    "client_id": "https://claude.ai/oauth/mcp-oauth-client-metadata",
    "client_name": "Claude",
    "client_uri": "https://claude.ai",
    "logo_uri": "https://claude.ai/images/claude_app_icon.png",
    "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}
CLAUDE_CODE: dict[str, Any] = {
    **CLAUDE,
    "client_id": "https://claude.ai/oauth/claude-code-client-metadata",
    "client_name": "Claude Code",
    "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
}

CHATGPT: dict[str, Any] = {
    "client_id": "https://chatgpt.com/oauth/client.json",
    "client_name": "ChatGPT",
    "redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "private_key_jwt",
    "jwks_uri": "https://chatgpt.com/oauth/jwks.json",
}
CODEX: dict[str, Any] = {
    **CLAUDE_CODE,
    "client_id": "https://chatgpt.com/oauth/codex/client.json",
    "client_name": "Codex",
    "client_uri": "https://chatgpt.com",
    "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback"],
    "token_endpoint_auth_methods_supported": ["none"],
}
PUBLISHED = [VSCODE, CLAUDE, CLAUDE_CODE, CHATGPT, CODEX]

SENT = [
    (VSCODE, "http://127.0.0.1:33418/", True),
    (VSCODE, "http://127.0.0.1:51004/", True),
    (VSCODE, "http://127.0.0.1:51004/other", False),
    (VSCODE, "https://vscode.dev/redirect", True),
    (VSCODE, "https://vscode.dev/redirect?x=1", False),
    (CLAUDE, "https://claude.ai/api/mcp/auth_callback", True),
    (CLAUDE, "https://claude.com/api/mcp/auth_callback", False),
    (CLAUDE_CODE, "http://localhost:49152/callback", True),
    (CLAUDE_CODE, "http://127.0.0.1:49152/callback", True),
    (CLAUDE_CODE, "http://[::1]:49152/callback", False),
    (CHATGPT, "https://chatgpt.com/connector_platform_oauth_redirect", True),
    (CHATGPT, "https://chatgpt.com/connector/oauth/abc", False),
    (CODEX, "http://127.0.0.1:1455/callback", True),
]


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda one: str(one["client_name"]))
def test_it_is_read_for_what_we_serve_of_it(published: dict[str, Any]) -> None:
    client_id = published["client_id"]
    address.check(client_id)
    metadata = document.read(json.dumps(published).encode(), client_id)
    assert metadata.name == published["client_name"]
    assert metadata.grant_types == ("authorization_code", "refresh_token")
    assert metadata.token_endpoint_auth_method == published["token_endpoint_auth_method"]
    assert metadata.other.get("jwks_uri") == published.get("jwks_uri")
    assert list(metadata.redirect_uris) == published["redirect_uris"]


@pytest.mark.parametrize(
    ("published", "sent", "matches"), SENT, ids=[f"{one['client_name']} {sent}" for one, sent, _matches in SENT]
)
def test_what_it_sends_matches(published: dict[str, Any], sent: str, matches: bool) -> None:
    assert redirects.matches(published["redirect_uris"], sent) == matches
