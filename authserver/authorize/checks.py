"""Everything about an authorization request is checked here, before anybody signs in.

Two stages: who asks and where the answer goes (a failure is a page, never a redirect), then the rest, one function a
check, in the order of `CHECKS` (a failure is redirected with `state` and `iss`). Nothing here writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from accounts.prepared import Prepared, slot
from authserver import clients, languages, redirects, verify
from authserver.authorize.request import AuthorizationRequest, Destination
from authserver.errors import OAuthError
from authserver.models import Client, Resource, ResourceUpstream
from authserver.resources import canonical
from authserver.scopes import IDENTITY_SCOPES, MAX_SCOPES, SCOPE

PARAMETERS = frozenset(
    {
        "client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "code_challenge",
        "code_challenge_method", "resource", "nonce", "prompt", "max_age", "login_hint", "ui_locales", "request",
        "request_uri", "claims", "display", "id_token_hint", "acr_values",
    }
)  # fmt: skip
IGNORED = frozenset({"claims", "display", "acr_values"})
"""Known and not acted upon: they are looked at once and kept nowhere."""
MAX_STATE = 4096
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 section 4.2
_PROMPTS = {"none", "login", "consent", "select_account"}


class Unanswerable(Exception):
    """Nobody can be told by redirect: the client or its redirect URI is not known. The page says why.

    `reason` is a sentence for the client's developer.
    """

    def __init__(self, problem: str, *, client: Client | None = None, sent: str = "", reason: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.client = client
        self.sent = sent
        self.reason = reason


class Refused(Exception):
    """An error the client hears of at its redirect URI."""

    def __init__(self, destination: Destination, error: OAuthError) -> None:
        super().__init__(error.error)
        self.destination = destination
        self.error = error


def destination(raw: dict[str, str], *, now: datetime, network: str = "") -> Destination:
    """Who asks, and where the answer may go. Raises `Unanswerable`."""
    client_id = raw.get("client_id", "")
    if not client_id:
        raise Unanswerable("no_client")
    try:
        client = clients.resolve(client_id, now=now, network=network)
    except clients.UnknownClient as error:
        raise Unanswerable("unknown_client", sent=client_id, reason=str(error)) from None
    if client.app.is_blocked:
        raise Unanswerable("blocked", client=client)
    if not client.is_usable(None):
        raise Unanswerable("unknown_client", sent=client_id, reason="An operator has disabled this client.")
    registered = client.redirect_uris.split()
    redirect_uri = raw.get("redirect_uri")
    if redirect_uri is None:
        if len(registered) != 1:
            raise Unanswerable("no_redirect_uri", client=client)
        redirect_uri = registered[0]
    elif not redirects.matches(registered, redirect_uri):
        raise Unanswerable("other_redirect_uri", client=client, sent=redirect_uri)
    return Destination(client, redirect_uri, raw.get("state"))


def check(raw: dict[str, str], *, now: datetime, network: str = "") -> AuthorizationRequest:
    """The request, valid in every part. Raises `Unanswerable` or `Refused`."""
    to = destination(raw, now=now, network=network)
    values: dict[str, Any] = {}
    try:
        if to.state is not None and len(to.state) > MAX_STATE:
            to = Destination(to.client, to.redirect_uri, None)
            raise OAuthError("invalid_request", f"state is longer than {MAX_STATE} characters.")
        for rule in CHECKS:
            rule(raw, to.client, values)
    except OAuthError as error:
        raise Refused(to, error) from None
    return AuthorizationRequest(raw=kept(raw), destination=to, **values)


def kept(raw: dict[str, str]) -> dict[str, str]:
    """What later steps check again. It is stored while the person is on the way, and so holds no more than it has to."""
    ignored = IGNORED if languages.bounded(raw.get("ui_locales", "")) else IGNORED | {"ui_locales"}
    return {name: value for name, value in raw.items() if name not in ignored}


def response_type(raw: dict[str, str], client: Client, values: dict[str, Any]) -> None:
    given = raw.get("response_type")
    if given is None:
        raise OAuthError("invalid_request", "response_type is missing.")
    if given != "code":
        raise OAuthError("unsupported_response_type", "Only response_type=code is served.")
    if raw.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "Only response_mode=query is served.")
    if "authorization_code" not in client.grant_types:
        raise OAuthError("unauthorized_client", "This client is not registered for authorization_code.")


def request_objects(raw: dict[str, str], client: Client, values: dict[str, Any]) -> None:
    """OpenID Connect Core section 6: not served, and so never fetched."""
    if "request" in raw:
        raise OAuthError("request_not_supported", "Request objects are not served.")
    if "request_uri" in raw:
        raise OAuthError("request_uri_not_supported", "Request objects are not served.")


def claims(raw: dict[str, str], client: Client, values: dict[str, Any]) -> None:
    """OpenID Connect Core section 5.5: ignored, unless it is not what it says it is."""
    given = raw.get("claims")
    if given is None:
        return
    if given.count("{") + given.count("[") > 100:
        raise OAuthError("invalid_request", "claims is nested too deeply.")
    try:
        parsed = json.loads(given)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise OAuthError("invalid_request", "claims is not a JSON object.")


def pkce(raw: dict[str, str], client: Client, values: dict[str, Any]) -> None:
    challenge = raw.get("code_challenge")
    if challenge is None:
        raise OAuthError("invalid_request", "code_challenge is missing: PKCE is required (RFC 7636).")
    if raw.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "code_challenge_method must be S256.")
    if not _CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "code_challenge must be 43 to 128 unreserved characters.")
    values["code_challenge"] = challenge


_UPSTREAMS = ResourceUpstream.objects.select_related("resource", "provider").order_by("position", "id")
_OF_NAMED: Prepared[ResourceUpstream] = Prepared(
    lambda: _UPSTREAMS.filter(resource__enabled=True, resource__canonical=slot("canonical"))
)
_NAMED: Prepared[Resource] = Prepared(
    lambda: Resource.objects.filter(enabled=True, canonical=slot("canonical")).order_by()
)


def resource(raw: dict[str, str], client: Client, values: dict[str, Any]) -> None:
    """Exactly one: the one named, else the default, else the only one (behaviour.md, resource and scopes).

    It is read with its upstreams; by itself where it has none.
    """
    given = raw.get("resource")
    if given is not None:
        try:
            named = canonical(given)
        except ValueError as reason:
            raise OAuthError("invalid_target", f"resource {reason}.") from None
        upstreams = _OF_NAMED.all(canonical=named)
        found = upstreams[0].resource if upstreams else _NAMED.first(canonical=named)
        if found is None:
            raise OAuthError("invalid_target", "No such resource is registered here.")
    else:
        candidates = list(Resource.objects.filter(enabled=True).order_by("-default")[:2])
        if not candidates or (len(candidates) > 1 and not candidates[0].default):
            raise OAuthError("invalid_target", "Name the resource (RFC 8707): there is no default here.")
        found = candidates[0]
        upstreams = list(_UPSTREAMS.filter(resource=found))
    values["resource"] = found
    values["upstreams"] = tuple(upstreams)


def scopes(raw: dict[str, str], client: Client, values: dict[str, Any]) -> None:
    target: Resource = values["resource"]
    asked = raw.get("scope", "").split(" ")
    asked = list(dict.fromkeys(scope for scope in asked if scope))
    if len(asked) > MAX_SCOPES or not all(SCOPE.fullmatch(scope) for scope in asked):
        raise OAuthError("invalid_scope", "scope is malformed or too long.")
    offered = {*target.scopes, *IDENTITY_SCOPES}
    if unknown := [scope for scope in asked if scope not in offered]:
        raise OAuthError("invalid_scope", f"Not offered by this resource: {' '.join(unknown)[:200]}")
    allowed = client.scopes_allowed()
    if allowed is not None and (beyond := [scope for scope in asked if scope not in allowed]):
        raise OAuthError("invalid_scope", f"This client may not ask for: {' '.join(beyond)[:200]}")
    if not asked:
        defaults = target.default_scopes or list(target.scopes)
        asked = [scope for scope in defaults if allowed is None or scope in allowed]
    values["scopes"] = tuple(asked)


def openid(raw: dict[str, str], client: Client, values: dict[str, Any]) -> None:
    """OpenID Connect Core section 3.1.2.1."""
    prompt = frozenset(raw.get("prompt", "").split())
    if prompt - _PROMPTS or ("none" in prompt and len(prompt) > 1):
        raise OAuthError("invalid_request", "prompt must be none, or any of login, consent, select_account.")
    max_age = raw.get("max_age")
    if max_age is not None and not re.fullmatch(r"[0-9]{1,9}", max_age):
        raise OAuthError("invalid_request", "max_age must be a number of seconds.")
    for name, limit in (("prompt", 100), ("nonce", 255), ("login_hint", 320)):
        if len(raw.get(name, "")) > limit:
            raise OAuthError("invalid_request", f"{name} is longer than {limit} characters.")
    values["prompt"] = prompt
    values["max_age"] = int(max_age) if max_age is not None else None
    values["nonce"] = raw.get("nonce", "")
    values["login_hint"] = raw.get("login_hint", "")
    values["ui_locales"] = languages.bounded(raw.get("ui_locales", ""))


def id_token_hint(raw: dict[str, str], client: Client, values: dict[str, Any]) -> None:
    """OpenID Connect Core section 3.1.2.1: an ID token of ours for this very client, and no other token."""
    values["hinted"] = None
    if (unverified := raw.get("id_token_hint")) is not None:
        try:
            values["hinted"] = verify.hinted_subject(unverified, client_id=client.client_id)
        except verify.InvalidToken as reason:
            words = "id_token_hint is not an ID token that this server gave this client."
            raise OAuthError("invalid_request", words, detail=str(reason)) from None


CHECKS: tuple[Callable[[dict[str, str], Client, dict[str, Any]], None], ...] = (
    response_type,
    request_objects,
    claims,
    pkce,
    resource,
    scopes,
    openid,
    id_token_hint,
)
