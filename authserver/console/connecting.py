"""A resource's "How to connect": what its developer puts into the server, with this deployment's addresses filled in.

The same text as docs/connect-your-mcp-server.md, whose servers a test runs.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from accounts.admin_base import ConsoleAdmin, row_for
from authserver import conf
from authserver.models import Resource

USUAL_PATH = "/mcp"
"""Where both frameworks serve unless told otherwise."""
WELL_KNOWN = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True)
class Snippet:
    title: str
    text: str


def show(model_admin: ConsoleAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    resource = row_for(model_admin, request, object_id, allowed=model_admin.has_view_permission(request))
    caller = resource.resource_servers.filter(enabled=True).first()
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Connect %(resource)s") % {"resource": resource},
        "opts": model_admin.opts,
        "object": resource,
        "caller": caller,
        "snippets": snippets(resource, caller.client_id if caller else "YOUR-RESOURCE-SERVER"),
    }
    return TemplateResponse(request, "admin/connect.html", context)


def snippets(resource: Resource, client_id: str) -> list[Snippet]:
    """`client_id` is that of the resource server that exchanges tokens for it."""
    issuer, url = conf.load().issuer, urlsplit(resource.identifier)
    base = urlunsplit((url.scheme, url.netloc, "", "", ""))
    elsewhere = "" if url.path == USUAL_PATH else json.dumps(url.path or "/")
    metadata_path = WELL_KNOWN + url.path.removesuffix("/")
    metadata_url = base + metadata_path
    variable = secret_variable(client_id)
    written = {  # as Python, JavaScript and JSON all write them
        "issuer": issuer, "resource": resource.identifier, "base": base, "client_id": client_id, "variable": variable,
        "name": resource.name, "scopes": list(resource.scopes), "path": url.path or "/", "metadata_path": metadata_path,
        "metadata_url": metadata_url, "django_path": url.path.lstrip("/"), "django_metadata_path": metadata_path.lstrip("/"),
    }  # fmt: skip
    context = {name: json.dumps(value) for name, value in written.items()} | {
        "fastmcp_path": elsewhere and f", path={elsewhere}",
        "sdk_path": elsewhere and f", streamable_http_path={elsewhere}",
    }
    metadata = {
        "resource": resource.identifier,
        "authorization_servers": [issuer],
        "scopes_supported": list(resource.scopes),
    }
    return [
        Snippet("FastMCP", render_to_string("connect/fastmcp.txt", context)),
        Snippet(_("The official Python SDK"), render_to_string("connect/python_sdk.txt", context)),
        Snippet(_("The official TypeScript SDK"), render_to_string("connect/typescript_sdk.txt", context)),
        Snippet("Django", render_to_string("connect/django.txt", context)),
        Snippet(
            _("Any language: the answer to a request without a valid token (401)"),
            f'WWW-Authenticate: Bearer resource_metadata="{metadata_url}"',
        ),
        Snippet(_("Any language: the document at %(url)s") % {"url": metadata_url}, json.dumps(metadata)),
        Snippet(
            _("Any language: the exchange for the person's upstream token"),
            render_to_string("connect/exchange.txt", {"url": f"{issuer}/oauth/token", "caller": client_id,
                                                      "variable": variable}),
        ),
    ]  # fmt: skip


def secret_variable(client_id: str) -> str:
    """The environment variable that the snippets read its secret from."""
    return re.sub(r"[^A-Z0-9]+", "_", client_id.upper()).strip("_") + "_SECRET"
