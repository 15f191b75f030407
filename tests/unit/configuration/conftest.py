"""A configuration file in a temporary directory, and the environment it refers to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

Write = Callable[[str], Path]

GITHUB_SECRET = "github-client-secret-canary"
MCP_SECRET = "Qm7vXw2pLk9sTz4nRb8cYd3fGh6jUa1eVo5i"

# interface.md's file: every section, most of the keys.
WHOLE = """
    upstreams:
      - name: github
        type: github
        client_id: Iv1.abc
        client_secret: {env: GITHUB_CLIENT_SECRET}
        scopes: ["read:user", "user:email"]
        sign_in: true
        allow: {email_domains: [example.com], emails: [], subjects: [], claims: {groups: [staff, 7], hd: example.com}}
        authorization_params: {access_type: offline}
        api_resources: [https://api.github.com]
        on_session_end: revoke_when_unused
    resources:
      - identifier: https://mcp.example.com/mcp
        name: Example MCP server
        scopes: ["mcp:tools"]
        default: true
        access_token_lifetime: 30m
        allow: {email_domains: [], emails: [ada@example.com], groups: []}
        claims: [email]
        upstreams: [{name: github, scopes: ["repo"], required: true}]
    resource_servers:
      - client_id: example-mcp
        client_secret: {env: EXAMPLE_MCP_SECRET}
        resources: ["https://mcp.example.com/mcp"]
    clients:
      - {client_id: my-cli, name: My CLI, redirect_uris: ["http://127.0.0.1/callback"], token_endpoint_auth_method: none}
    lifetimes: {access_token: 2h, refresh_idle: 30d, refresh_absolute: 90d, refresh_replay: 2m, code: 60s}
    registration:
      mode: approval
      cimd: {enabled: true, allow_private_network: false, allowed_hosts: ["*.example.com"], denied_hosts: []}
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_CLIENT_SECRET", GITHUB_SECRET)
    monkeypatch.setenv("EXAMPLE_MCP_SECRET", MCP_SECRET)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a text, indented as it stands in the test, to `config.yaml`."""

    def to_file(text: str) -> Path:
        file = tmp_path / "config.yaml"
        file.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return file

    return to_file
