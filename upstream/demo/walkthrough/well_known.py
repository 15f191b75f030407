"""Mounted under `.well-known/oauth-protected-resource/` at the root of the host, whatever the issuer's path."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.urls import path

from . import mcp_server, places

urlpatterns = [path(urlsplit(places.mcp_server()).path.lstrip("/"), mcp_server.resource_metadata)]
