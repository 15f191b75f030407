"""Addresses and credentials of everybody in the demo. Every address is under our issuer; none ends in a slash."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

RESOURCE_SERVER_ID = "demo-mcp-server"  # in config.yaml
UPSTREAM = "demo"  # the provider's name there
SCOPE = "mcp:tools"


def issuer() -> str:
    return str(settings.ISSUER)


def mcp_server() -> str:
    """The demo MCP server, and the identifier of its resource (RFC 8707)."""
    return f"{issuer()}/demo/mcp"


def resource_metadata() -> str:
    """Its metadata: the well-known part goes between host and path (RFC 9728 section 3.1)."""
    parts = urlsplit(mcp_server())
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource{parts.path}"


def server_metadata(authorization_server: str) -> str:
    """The authorization server's metadata, likewise (RFC 8414 section 3.1)."""
    parts = urlsplit(authorization_server)
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path}"


def callback() -> str:
    return f"{issuer()}/demo/callback"


def provider_api() -> str:
    return f"{issuer()}/demo/idp/api/me"


def provider_revocation() -> str:
    return f"{issuer()}/demo/idp/revoke"


def resource_server() -> tuple[str, str]:
    """The MCP server's id and secret at the authorization server."""
    return RESOURCE_SERVER_ID, str(settings.DEMO_RESOURCE_SERVER_SECRET)


def provider_client() -> tuple[str, str]:
    """Authserver's id and secret at the demo provider."""
    return str(settings.DEMO_UPSTREAM_CLIENT_ID), str(settings.DEMO_UPSTREAM_CLIENT_SECRET)
