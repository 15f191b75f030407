"""The ten steps: what each one sends, and what it learns. `STEPS` maps their names to functions, in order.

Each takes the walk, changes it and writes the messages down. One that cannot go on raises `Stuck`, in words for the
visitor; what was sent until then is shown all the same.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from upstream.http import Answer

from . import mcp_server, places
from .masking import fingerprint, mask
from .walk import Walk
from .wire import Wire, members

CLIENT_NAME = "Demo walk-through"
RENEWED_WITH_SECONDS_LEFT = 30  # `upstream.refresh`: half of the demo provider's 60


class Stuck(Exception):
    """The step did not succeed. `url` is where the person can mend it, if they can; `rewind_to` an earlier step."""

    def __init__(self, words: str, *, url: str = "", rewind_to: str = "") -> None:
        super().__init__(words)
        self.url = url
        self.rewind_to = rewind_to


class Doing:
    """One step being done: its wire, and what it finds out."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.findings: list[tuple[str, str]] = []
        self.claims: dict[str, Any] = {}

    def found(self, label: str, value: str) -> None:
        self.findings.append((label, value))


def expect(answer: Answer, status: int) -> dict[str, Any]:
    """The members of an answer that must have this status. Raises `Stuck` with what the other side said."""
    body = members(answer)
    if answer.status == status:
        return body
    said = str(body.get("error_description") or body.get("error") or answer.status)
    raise Stuck(said, url=str(body.get("connect_url", "")))


def discover(walk: Walk, doing: Doing) -> None:
    """MCP authorization: 401, RFC 9728, RFC 8414."""
    ping = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    refused = doing.wire.call("client", "mcp", "POST", places.mcp_server(), json=ping)
    expect(refused, 401)
    resource = expect(doing.wire.call("client", "mcp", "GET", places.resource_metadata()), 200)
    issuer = str(resource["authorization_servers"][0])
    metadata = expect(doing.wire.call("client", "authserver", "GET", places.server_metadata(issuer)), 200)
    if metadata.get("issuer") != issuer:
        raise Stuck(_("The metadata is another issuer’s (RFC 8414 section 3.3)."))
    wanted = ("issuer", "authorization_endpoint", "token_endpoint", "registration_endpoint")
    if missing := [name for name in wanted if name not in metadata]:
        raise Stuck(_("The metadata lacks %(names)s.") % {"names": ", ".join(missing)})
    walk.metadata = {name: str(metadata[name]) for name in wanted}
    doing.found(_("Authorization server"), issuer)


def register(walk: Walk, doing: Doing) -> None:
    """RFC 7591."""
    wish = {
        "client_name": CLIENT_NAME,
        "redirect_uris": [places.callback()],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    }
    answer = doing.wire.call("client", "authserver", "POST", walk.metadata["registration_endpoint"], json=wish)
    walk.client_id = str(expect(answer, 201)["client_id"])
    walk.prepare_authorization()
    doing.found(_("Client ID"), walk.client_id)


def token(walk: Walk, doing: Doing) -> None:
    """OAuth 2.1 section 4.1.3, RFC 7636 section 4.5."""
    form = {
        "grant_type": "authorization_code",
        "code": walk.code,
        "redirect_uri": places.callback(),
        "client_id": walk.client_id,
        "code_verifier": walk.verifier,
        "resource": places.mcp_server(),
    }
    answer = doing.wire.call("client", "authserver", "POST", walk.metadata["token_endpoint"], form=form)
    walk.prepare_authorization()  # a code is for one use, whatever came of it
    try:
        body = expect(answer, 200)
    except Stuck as why:
        raise Stuck(str(why), rewind_to="authorize") from None
    _keep_tokens(walk, doing, body)
    doing.found(_("Session (tsid)"), str(doing.claims.get("tsid")))


def call(walk: Walk, doing: Doing) -> None:
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    answer = doing.wire.call("client", "mcp", "POST", places.mcp_server(), bearer=walk.access_token, json=listing)
    tools = expect(answer, 200).get("result", {}).get("tools", [])
    doing.found(_("Tools it offers"), ", ".join(tool["name"] for tool in tools))


def exchange(walk: Walk, doing: Doing) -> None:
    """RFC 8693."""
    body = _exchanged(walk, doing)
    walk.upstream_token = body["access_token"]
    _show_upstream(doing, body)


def act(walk: Walk, doing: Doing) -> None:
    person = expect(_call_api(walk, doing), 200)
    doing.found(_("At the provider, the MCP server is"), f"{person['name']} <{person['email']}>")


def expire(walk: Walk, doing: Doing) -> None:
    """The token that was good a minute ago."""
    answer = _call_api(walk, doing)
    if answer.status == 200:
        seconds = members(answer).get("token_expires_in", 0)
        raise Stuck(
            _("It still works, for %(seconds)s seconds more. Wait that long, or end it now.") % {"seconds": seconds}
        )
    expect(answer, 401)
    doing.found(_("The provider says"), _("expired or revoked: nobody gets in with this token any more"))


def end_now(walk: Walk, doing: Doing) -> None:
    """RFC 7009, on that one access token: spares the visitor the minute."""
    form = {"token": walk.upstream_token, "token_type_hint": "access_token"}
    url = places.provider_revocation()
    expect(doing.wire.call("authserver", "provider", "POST", url, basic=places.provider_client(), form=form), 200)
    expire(walk, doing)


def again(walk: Walk, doing: Doing) -> None:
    before = walk.upstream_token
    body = _exchanged(walk, doing)
    walk.upstream_token = body["access_token"]
    if walk.upstream_token == before:
        seconds = max(1, int(body.get("expires_in", 0)) - RENEWED_WITH_SECONDS_LEFT)
        raise Stuck(
            _(
                "This is still the same token. Authserver counts on the 60 seconds it was promised and renews at half of "
                "them, in %(seconds)s seconds. Try again then."
            )
            % {"seconds": seconds}
        )
    person = expect(_call_api(walk, doing), 200)
    doing.found(_("Upstream token before"), _fingerprinted(before))
    doing.found(_("Upstream token now"), _fingerprinted(walk.upstream_token))
    doing.found(_("Session (tsid), unchanged"), str(claims_of(walk.access_token).get("tsid")))
    doing.found(_("At the provider, the MCP server is again"), f"{person['name']} <{person['email']}>")


def refresh(walk: Walk, doing: Doing) -> None:
    """OAuth 2.1 section 4.3."""
    before = claims_of(walk.access_token)
    form = {"grant_type": "refresh_token", "refresh_token": walk.refresh_token, "client_id": walk.client_id}
    answer = doing.wire.call("client", "authserver", "POST", walk.metadata["token_endpoint"], form=form)
    try:
        _keep_tokens(walk, doing, expect(answer, 200))
    except Stuck as why:
        raise Stuck(str(why), rewind_to="authorize") from None
    doing.found(_("Token ID (jti) before"), str(before.get("jti")))
    doing.found(_("Token ID (jti) now"), str(doing.claims.get("jti")))
    doing.found(_("Session (tsid), unchanged"), str(doing.claims.get("tsid")))


def _keep_tokens(walk: Walk, doing: Doing, body: dict[str, Any]) -> None:
    walk.access_token, walk.refresh_token = str(body["access_token"]), str(body.get("refresh_token", ""))
    doing.claims = claims_of(walk.access_token)


def _exchanged(walk: Walk, doing: Doing) -> dict[str, Any]:
    """The exchange, as the MCP server makes it: with the token it was shown, and its own secret."""
    url, form = f"{places.issuer()}/oauth/token", mcp_server.exchange_form(walk.access_token)
    return expect(doing.wire.call("mcp", "authserver", "POST", url, basic=places.resource_server(), form=form), 200)


def _call_api(walk: Walk, doing: Doing) -> Answer:
    return doing.wire.call("mcp", "provider", "GET", places.provider_api(), bearer=walk.upstream_token)


def _show_upstream(doing: Doing, body: dict[str, Any]) -> None:
    doing.found(_("Upstream token"), _fingerprinted(body["access_token"]))
    if "expires_in" in body:
        doing.found(_("It lives for"), _("%(seconds)s seconds more") % {"seconds": body["expires_in"]})
    doing.found(_("It may"), body.get("scope", ""))


def _fingerprinted(secret: str) -> str:
    return _("%(beginning)s, fingerprint %(fingerprint)s") % {
        "beginning": mask(secret),
        "fingerprint": fingerprint(secret),
    }


def claims_of(unverified_jwt: str) -> dict[str, Any]:
    """What a JWT says, for showing; trusting it is the MCP server's business (`bearer`)."""
    try:
        payload = unverified_jwt.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


STEPS: dict[str, Callable[[Walk, Doing], None] | None] = {
    "discover": discover,
    "register": register,
    "authorize": None,  # the person's browser does it, and comes back to the callback
    "token": token,
    "call": call,
    "exchange": exchange,
    "act": act,
    "expire": expire,
    "again": again,
    "refresh": refresh,
}
"""In order. A variant of a step (`VARIANTS`) fills the same place."""

VARIANTS: dict[str, tuple[str, Callable[[Walk, Doing], None]]] = {"end-now": ("expire", end_now)}
