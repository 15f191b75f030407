"""What the clients that people connect with send, a row each; `test_known_clients.py` puts each through the whole flow.

Where a client is open source its row is what its source does: openai/codex with rmcp, google-gemini/gemini-cli,
modelcontextprotocol/inspector, mcp-remote, microsoft/vscode. Where it is not (Claude, ChatGPT, Cursor) it is what the
operators of servers saw of it and wrote into public issues, up to the autumn of 2026.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from tests.interop.example import SCOPE

CODE_FLOW = {"grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"]}
PUBLIC = {**CODE_FLOW, "token_endpoint_auth_method": "none"}
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True)
class Shape:
    """What one client sends. `{port}` stands for a loopback port that is free when it starts."""

    registers: dict[str, Any]
    redirect_uri: str
    knocks: str = "POST"  # the method by which it finds out that the MCP server wants a token
    reads: str = "oauth-authorization-server"  # which of our documents it reads
    scope: str | None = SCOPE
    state: str | None = None
    asks: dict[str, str] = field(default_factory=dict)  # what else it puts into its authorization request
    refreshes_with: tuple[str, ...] = ("resource",)

    @property
    def method(self) -> str:
        return str(self.registers.get("token_endpoint_auth_method", "none"))

    @property
    def is_on_loopback(self) -> bool:
        return "{port}" in self.redirect_uri

    def metadata(self, port: int) -> dict[str, Any]:
        metadata: dict[str, Any] = json.loads(json.dumps(self.registers).replace("{port}", str(port)))
        return metadata

    def redirects(self, port: int) -> str:
        return self.redirect_uri.replace("{port}", str(port))


def relay_state() -> str:
    """ChatGPT's app editor puts its own address into the state, in base64 with all of `/`, `+` and `=`."""
    app, version = f"asdk_app_{'1' * 32}", f"asdk_app_v_{'2' * 32}"
    way_back = {
        "oauth_id": f"oauth_s_{'3' * 32}",
        "app_id": app,
        "version_id": version,
        "org_id": f"org-{'4' * 23}",
        "target_uri": f"https://platform.openai.com/plugins/edit/{app}/{version}?section=MCP+Server&of=>>>???",
    }
    return "openai_platform_oauth_relay__" + base64.b64encode(json.dumps(way_back).encode()).decode()


def claude_ai(method: str) -> Shape:
    """It registers with a scope of its own, and asks for the resource's."""
    metadata = {**CODE_FLOW, "client_name": "Claude", "token_endpoint_auth_method": method, "scope": "claudeai"}
    callback = "https://claude.ai/api/mcp/auth_callback"
    return Shape({**metadata, "redirect_uris": [callback]}, callback)


def chatgpt(method: str, path: str = "connector_platform_oauth_redirect", **more: Any) -> Shape:
    metadata = {**CODE_FLOW, "client_name": "ChatGPT", "token_endpoint_auth_method": method}
    callback = f"https://chatgpt.com/{path}"
    return Shape({**metadata, "redirect_uris": [callback]}, callback, reads="openid-configuration", **more)


def vscode(redirect_uri: str, **more: Any) -> Shape:
    """It listens on port 33418 where that is free, and anywhere else where not; newer ones leave the device code out."""
    metadata = {
        "client_name": "Visual Studio Code",
        "client_uri": "https://code.visualstudio.com",
        "grant_types": ["authorization_code", "refresh_token", DEVICE_CODE],
        "response_types": ["code"],
        "redirect_uris": [
            "https://insiders.vscode.dev/redirect",
            "https://vscode.dev/redirect",
            "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
        ],
        "scope": SCOPE,
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    }
    return Shape(metadata, redirect_uri, **more)


def cursor(redirect_uri: str) -> Shape:
    """It registers all of its redirect URIs at once, so one that is refused costs it the registration."""
    metadata = {
        **PUBLIC,
        "client_name": "Cursor",
        "redirect_uris": [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ],
    }
    return Shape(metadata, redirect_uri)


SHAPES = {
    "Claude Code": Shape(
        {**PUBLIC, "client_name": "Claude Code (example)", "redirect_uris": ["http://localhost:{port}/callback"]},
        "http://localhost:{port}/callback",
    ),
    "Claude's desktop app": Shape(
        {
            **PUBLIC,
            "client_name": "Claude Code (example)",
            "redirect_uris": ["claude://claude.ai/mcp-auth-callback/sdk"],
        },
        "claude://claude.ai/mcp-auth-callback/sdk",
    ),
    "Claude.ai": claude_ai("none"),
    "Claude.ai with a secret": claude_ai("client_secret_post"),
    "ChatGPT": chatgpt("none", "connector/oauth/OUbdUMlL15Ct", scope=f"{SCOPE} offline_access"),
    "ChatGPT with Basic": chatgpt("client_secret_basic"),
    "ChatGPT with a secret": chatgpt("client_secret_post"),
    "ChatGPT's app editor": chatgpt("client_secret_basic", state=relay_state()),
    "VS Code": vscode("http://127.0.0.1:{port}/", state=base64.b64encode(b"\xfb\xff\xfe" * 5 + b"x").decode()),
    "VS Code by its own page": vscode(
        "https://vscode.dev/redirect",
        state="vscode://dynamicauthprovider/auth.example.com/authorize?nonce=0a1b&windowId=1",
    ),
    "Cursor": cursor("http://localhost:8787/callback"),
    "Cursor by its scheme": cursor("cursor://anysphere.cursor-mcp/oauth/callback"),
    "Cursor's agents": cursor("https://www.cursor.com/agents/mcp/oauth/callback"),
    "Gemini CLI": Shape(
        {
            **PUBLIC,
            "client_name": "Gemini CLI MCP Client",
            "redirect_uris": ["http://localhost:{port}/oauth/callback"],
            "scope": "",
        },
        "http://localhost:{port}/oauth/callback",
        knocks="HEAD",
        scope=None,  # it asks for those of our own metadata, where there are none
    ),
    "Codex": Shape(
        {**PUBLIC, "client_name": "Codex", "redirect_uris": ["http://127.0.0.1:{port}/callback"]},
        "http://127.0.0.1:{port}/callback",
        knocks="GET",
        refreshes_with=("scope", "resource"),
    ),
    "Codex since it tells servers apart": Shape(
        {**PUBLIC, "client_name": "Codex", "redirect_uris": ["http://127.0.0.1:{port}/callback/q83vEjRWeJCr"]},
        "http://127.0.0.1:{port}/callback/q83vEjRWeJCr",
        knocks="GET",
        refreshes_with=("scope", "resource"),
    ),
    "MCP Inspector": Shape(
        {
            **PUBLIC,
            "client_name": "MCP Inspector",
            "client_uri": "https://github.com/modelcontextprotocol/inspector",
            "redirect_uris": ["http://localhost:6274/oauth/callback"],
            "scope": SCOPE,
            "application_type": "native",
        },
        "http://localhost:6274/oauth/callback",
        state="5" * 64,
    ),
    "mcp-remote": Shape(
        {
            **PUBLIC,
            "client_name": "MCP CLI Proxy",
            "client_uri": "https://github.com/modelcontextprotocol/mcp-cli",
            "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
            "software_version": "0.15.1",
            "redirect_uris": ["http://localhost:{port}/oauth/callback"],
            "scope": SCOPE,
        },
        "http://localhost:{port}/oauth/callback",
    ),
    "A TypeScript client that asks for offline access": Shape(
        {**PUBLIC, "client_name": "TypeScript client", "redirect_uris": ["http://127.0.0.1:{port}/callback"]},
        "http://127.0.0.1:{port}/callback",
        scope=f"{SCOPE} offline_access",
        asks={"prompt": "consent"},
    ),
}
ON_LOOPBACK = {name: shape for name, shape in SHAPES.items() if shape.is_on_loopback}
