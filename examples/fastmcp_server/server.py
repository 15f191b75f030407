"""An MCP server whose tools act as the person who called them. Copy this file and put your own tools at its end.

It does two things with Authserver:
- it lets in whoever brings an access token that Authserver made for this server (checked here, against the JWKS);
- it trades that token for the person's own token at the upstream provider, each time a tool needs it (RFC 8693).

Settings come from the environment; README.md lists them.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.auth import AccessToken, RemoteAuthProvider
from fastmcp.server.auth.providers.jwt import JWTVerifier
from fastmcp.server.dependencies import get_access_token
from joserfc import jws
from pydantic import AnyHttpUrl, ConfigDict, TypeAdapter

log = logging.getLogger("fastmcp_server")


def setting(name: str, default: str | None = None) -> str:
    """The variable `name`, or the content of the file that `NAME_FILE` names, or `default`."""
    value = os.environ.get(name)
    if not value and (path := os.environ.get(f"{name}_FILE")):
        value = Path(path).read_text(encoding="utf-8").strip()
    value = value or default
    if value is None:
        sys.exit(f"{name} (or {name}_FILE) is needed; see README.md")
    return value


ISSUER = setting("AUTHSERVER_ISSUER", "http://localhost:8000")
SERVER_ID = setting("RESOURCE_SERVER_ID", "demo-mcp-server")
SERVER_SECRET = setting("RESOURCE_SERVER_SECRET")
HOST = setting("HOST", "127.0.0.1")
PORT = int(setting("PORT", "9000"))
RESOURCE = setting("RESOURCE_IDENTIFIER", f"http://localhost:{PORT}/mcp")  # the URL that clients connect to
SCOPES = setting("REQUIRED_SCOPES", "mcp:tools").split()
API_URL = setting("UPSTREAM_API_URL", f"{ISSUER}/demo/idp/api/me")
TIMEOUT_SECONDS = 30.0  # longer than a refresh at the provider takes


# --- Who may call: the access token ---------------------------------------------------------------------------------
class AccessTokenVerifier(JWTVerifier):
    """FastMCP's checks (signature, issuer, audience, expiry, scopes), and that the JWT is an access token at all.

    ID tokens of the same issuer may be signed with the same key; `typ` tells them apart (RFC 9068 s4).
    """

    async def load_access_token(self, token: str) -> AccessToken | None:
        verified = await super().load_access_token(token)
        if verified is None or verified.expires_at is None:
            return None
        typ = str(jws.extract_compact(token.encode()).headers().get("typ", "")).lower()
        return verified if typ.removeprefix("application/") == "at+jwt" else None


# An issuer is compared as a string, and a plain AnyHttpUrl would add a slash to "http://localhost:8000".
issuer_url = TypeAdapter(AnyHttpUrl, config=ConfigDict(url_preserve_empty_path=True)).validate_python(ISSUER)

place = urlsplit(RESOURCE)
auth = RemoteAuthProvider(
    token_verifier=AccessTokenVerifier(
        jwks_uri=f"{ISSUER}/.well-known/jwks.json",
        issuer=ISSUER,
        audience=RESOURCE,
        algorithm="ES256",
        required_scopes=SCOPES,
    ),
    authorization_servers=[issuer_url],
    base_url=f"{place.scheme}://{place.netloc}",
)
# Unforeseen errors stay here: their text could quote a token. What a ToolError says reaches the person.
mcp = FastMCP("Authserver example", auth=auth, mask_error_details=True)


# --- Acting as the person: the token exchange -----------------------------------------------------------------------
async def upstream_token(http: httpx2.AsyncClient, access_token: str) -> str:
    """The person's own token at the upstream, always fresh. Ask again for every call rather than keep it."""
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": access_token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    answer = await http.post(f"{ISSUER}/oauth/token", data=form, auth=(SERVER_ID, SERVER_SECRET))
    if answer.status_code != 200:
        raise ToolError(explain(answer))
    return str(answer.json()["access_token"])


def explain(answer: httpx2.Response) -> str:
    """What the person can do about a refused exchange, in words that a model can pass on."""
    try:
        body = dict(answer.json())
    except (TypeError, ValueError):  # a proxy in between has its own pages
        body = {}
    url = body.get("connect_url")
    match body.get("state"):
        case "not_connected":
            return f"Your account is not connected yet. Open {url} to connect it, then try again."
        case "needs_reauthorization":
            return f"Your account has to be connected again. Open {url}, then try again."
        case "missing_scope":
            missing = ", ".join(body.get("missing_scopes", []))
            return f"This needs a permission that you have not given yet ({missing}). Open {url}, then try again."
        case "temporarily_unavailable":
            return f"The provider does not answer. Try again in {answer.headers.get('Retry-After', '60')} seconds."
    log.error(
        "Token exchange refused: %s %s %s",
        answer.status_code,
        body.get("error"),
        body.get("error_description"),
    )
    if answer.status_code == 400 and body.get("error") == "invalid_request":  # the JWT we were shown is over
        return "Your sign-in has ended. Disconnect this server in your MCP client and connect it again."
    return "This server could not get your token. Its operator finds the reason in its log."


# --- The tools ------------------------------------------------------------------------------------------------------
@mcp.tool
async def whoami() -> dict[str, Any]:
    """Who you are at the upstream provider, as the provider's own API says."""
    presented = get_access_token()
    if presented is None:
        raise ToolError("Nobody is signed in.")
    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS) as http:
            token = await upstream_token(http, presented.token)
            answer = await http.get(API_URL, headers={"Authorization": f"Bearer {token}"})
    except httpx2.HTTPError as error:
        raise ToolError(f"A server could not be reached ({type(error).__name__}). Try again later.") from None
    if answer.status_code != 200:
        raise ToolError(f"The upstream API answered {answer.status_code}.")
    identity: dict[str, Any] = answer.json()
    return identity


if __name__ == "__main__":
    mcp.run(
        transport="http",
        host=HOST,
        port=PORT,
        path=place.path,
        host_origin_protection="auto",
        show_banner=False,
    )
