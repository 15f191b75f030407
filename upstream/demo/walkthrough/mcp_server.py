"""The demo MCP server, `/demo/mcp`: Streamable HTTP without sessions or streams, one tool, and a bearer token needed.

The tool `whoami` does what a real server does: it trades the caller's token for the caller's own upstream token and
calls the provider's API with that. `examples/fastmcp_server` is the same server on FastMCP.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from upstream import http
from upstream.errors import UpstreamError

from . import bearer, places

PROTOCOL_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26")
WHOAMI = {
    "name": "whoami",
    "title": "Who am I?",
    "description": "Who the caller is at the demo identity provider, as the provider's own API says.",
    "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
    "annotations": {"readOnlyHint": True},
}
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - RFC 8693 section 3


@require_GET
def resource_metadata(request: HttpRequest) -> HttpResponse:
    """RFC 9728: who issues tokens for this server. Readable from any web page, as MCP clients in browsers need it."""
    document = {
        "resource": places.mcp_server(),
        "resource_name": "Demo MCP server",
        "authorization_servers": [places.issuer()],
        "scopes_supported": [places.SCOPE],
        "bearer_methods_supported": ["header"],
    }
    return JsonResponse(document, headers={"Access-Control-Allow-Origin": "*"})


@csrf_exempt  # no cookie opens this
@require_POST
def serve(request: HttpRequest) -> HttpResponse:
    """One JSON-RPC message. 401 and 403 carry the challenge that an MCP client starts from (RFC 9728 section 5.1)."""
    scheme, _space, presented = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not presented.strip():
        return challenge(401)
    try:
        caller = bearer.check(presented.strip())
    except bearer.Unacceptable as why:
        return challenge(401, error="invalid_token", error_description=str(why))
    if places.SCOPE not in caller.scopes:
        return challenge(403, error="insufficient_scope")
    try:
        message = json.loads(request.body)
    except (ValueError, RecursionError):
        return failure(None, -32700, "This is not JSON.", status=400)
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        return failure(None, -32600, "This is not a JSON-RPC request.", status=400)
    if "id" not in message:
        return HttpResponse(status=202)  # a notification
    return answer(message, presented.strip())


def answer(message: Mapping[str, Any], access_token: str) -> HttpResponse:
    params = message.get("params")
    params = params if isinstance(params, dict) else {}
    match message["method"]:
        case "initialize":
            wanted = params.get("protocolVersion")
            result: dict[str, Any] = {
                "protocolVersion": wanted if wanted in PROTOCOL_VERSIONS else PROTOCOL_VERSIONS[0],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "authserver-demo", "title": "Authserver demo", "version": "1"},
            }
        case "ping":
            result = {}
        case "tools/list":
            result = {"tools": [WHOAMI]}
        case "tools/call" if params.get("name") == WHOAMI["name"]:
            result = whoami(access_token)
        case "tools/call":
            return failure(message["id"], -32602, "There is no such tool.")
        case _:
            return failure(message["id"], -32601, "There is no such method.")
    return JsonResponse({"jsonrpc": "2.0", "id": message["id"], "result": result})


def exchange_form(access_token: str) -> dict[str, str]:
    """What a resource server sends to get the caller's upstream token (RFC 8693 section 2.1)."""
    return {
        "grant_type": EXCHANGE,
        "subject_token": access_token,
        "subject_token_type": ACCESS_TOKEN,
        "audience": places.UPSTREAM,
    }


def whoami(access_token: str) -> dict[str, Any]:
    """The tool's result. What goes wrong upstream is a result too, in words that a model can pass on."""
    try:
        traded = http.request(
            "POST", f"{places.issuer()}/oauth/token", auth=places.resource_server(), data=exchange_form(access_token),
            allow_private_network=True, timeout_seconds=20,
        )  # fmt: skip
        body = traded.json()
        if traded.status != 200:
            return content(explain(body), failed=True)
        headers = {"Authorization": f"Bearer {body['access_token']}"}
        person = http.request("GET", places.provider_api(), headers=headers, allow_private_network=True)
        if person.status != 200:
            return content(_("The provider did not accept the token. Try again."), failed=True)
        return content(json.dumps(person.json(), ensure_ascii=False)) | {"structuredContent": person.json()}
    except UpstreamError:
        return content(_("The provider does not answer at the moment. Try again."), failed=True)


def explain(refusal: Any) -> str:
    url = refusal.get("connect_url") if isinstance(refusal, dict) else None
    if url:
        return _("The account at the provider has to be connected again. Open %(url)s") % {"url": url}
    return _("Authserver did not hand out the upstream token. Sign in again.")


def content(text: str, *, failed: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": failed}


def failure(message_id: Any, code: int, words: str, *, status: int = 200) -> HttpResponse:
    """A JSON-RPC error."""
    error = {"code": code, "message": words}
    return JsonResponse({"jsonrpc": "2.0", "id": message_id, "error": error}, status=status)


def challenge(status: int, **parameters: str) -> HttpResponse:
    """`parameters` hold no quotes and no backslashes."""
    stated = {**parameters, "scope": places.SCOPE, "resource_metadata": places.resource_metadata()}
    header = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in stated.items())
    body = {"error": parameters.get("error", "unauthorized")}
    return JsonResponse(body, status=status, headers={"WWW-Authenticate": header, "Cache-Control": "no-store"})
