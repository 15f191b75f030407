"""The authorization endpoint: who is it, and may this client know? RFC 6749 s4.1.1, OIDC Core s3.1.2."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from django.http import HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string

from . import clients, faults, grants, parameters
from .addresses import issuer
from .counters import count
from .endpoint import NO_STORE, Call, endpoint
from .errors import OAuthError, invalid_request
from .metadata import SCOPES
from .models import Client
from .people import BY_LOGIN, PEOPLE

CODE_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # what S256 makes of any verifier (RFC 7636 s4.2)
CANCEL = "cancel"


@dataclass(frozen=True)
class Asked:
    """A request that was found in order."""

    client: Client
    scopes: Sequence[str]
    prompts: Sequence[str]
    code_challenge: str
    nonce: str


@endpoint("authorize", "authorize_requests", "GET", "POST")
def authorize(call: Call) -> HttpResponse:
    """Until client and redirect URI are known, errors stay here (RFC 6749 s4.1.2.1); then they go there."""
    try:
        query = parameters.query(call.request)
        client, redirect_uri = _sender(query)
    except OAuthError as error:
        return _page(call, "refused", {"error": error}, status=400)
    try:
        asked = _read(client, query, call)
        if "none" in asked.prompts:
            raise OAuthError("login_required", "nobody stays signed in here")
    except OAuthError as error:
        return _return(call, redirect_uri, query, _error(error))
    return _decide(call, asked, redirect_uri, query)


def _decide(call: Call, asked: Asked, redirect_uri: str, query: Mapping[str, str]) -> HttpResponse:
    choice = call.request.POST.get("choice") if call.request.method == "POST" else None
    if choice == CANCEL:
        count("denials")
        return _return(call, redirect_uri, query, _error(OAuthError("access_denied", "the person declined")))
    if choice in BY_LOGIN:
        count("sign_ins")
        code = grants.approve(
            BY_LOGIN[choice],
            asked.client,
            asked.scopes,
            redirect_uri=redirect_uri,
            code_challenge=asked.code_challenge,
            nonce=asked.nonce,
            asked_consent="consent" in asked.prompts,
            knobs=call.knobs,
            now=call.now,
        )
        return _return(call, redirect_uri, query, {"code": code})
    context = {
        "people": PEOPLE,
        "client": asked.client,
        "scopes": asked.scopes,
        "host": urlsplit(redirect_uri).netloc,
    }
    return _page(call, "choose", context, status=200 if call.request.method == "GET" else 400)


def _sender(query: Mapping[str, str]) -> tuple[Client, str]:
    """The client, and a redirect URI that is one of its own to the letter (RFC 9700 s4.1.3)."""
    client = clients.find(query.get("client_id", ""))
    if client is None:
        raise invalid_request("no client with that client_id is registered here")
    if query.get("redirect_uri") not in client.redirect_uris:
        raise invalid_request("the redirect_uri is not one of those that the client registered")
    return client, query["redirect_uri"]


def _read(client: Client, query: Mapping[str, str], call: Call) -> Asked:
    for name in ("request", "request_uri"):
        if name in query:
            raise OAuthError(f"{name}_not_supported", f"{name} is not supported")
    if query.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type must be code")
    if query.get("response_mode", "query") != "query":
        raise invalid_request("response_mode must be query")
    if query.get("code_challenge_method") != "S256" or not CODE_CHALLENGE.fullmatch(query.get("code_challenge", "")):
        raise invalid_request("PKCE with S256 is required")
    scopes = list(dict.fromkeys(_split(query.get("scope", ""), commas=call.knobs.comma_scopes)))
    if set(scopes) - set(SCOPES):
        raise OAuthError("invalid_scope", "a scope is unknown or malformed")
    prompts = query.get("prompt", "").split()
    if "none" in prompts and len(prompts) > 1:
        raise invalid_request("prompt=none stands alone")
    if call.knobs.granted_scopes is not None:
        scopes = [scope for scope in scopes if scope in call.knobs.granted_scopes]
    return Asked(client, scopes, prompts, query["code_challenge"], query.get("nonce", ""))


def _split(scope: str, *, commas: bool) -> list[str]:
    return (scope.replace(",", " ") if commas else scope).split(" ") if scope else []


def _error(error: OAuthError) -> dict[str, str]:
    return {"error": error.error, "error_description": error.description}


def _return(call: Call, redirect_uri: str, query: Mapping[str, str], answer: Mapping[str, str]) -> HttpResponse:
    """Send the answer to the client, with `state` and `iss` (RFC 9207 s2).

    After a form was sent it is a page that moves on by itself: a redirect would be held against `form-action`
    at every hop, and the client's own redirect may lead anywhere.
    """
    fault = call.knobs.claim_fault("callback")
    stated = {"state": query["state"]} if "state" in query else {}
    document = faults.merged({**(fault.error or answer), **stated, "iss": issuer()}, fault.answer)
    target = f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(document)}"
    if call.request.method == "GET" and urlsplit(target).scheme in {"http", "https"}:
        return HttpResponseRedirect(target, headers=NO_STORE)
    return _page(call, "returning", {"target": target, "host": urlsplit(redirect_uri).netloc})


def _page(call: Call, name: str, context: Mapping[str, object], status: int = 200) -> HttpResponse:
    html = render_to_string(f"upstream_demo/{name}.html", dict(context), call.request)
    return HttpResponse(html, status=status, headers=NO_STORE)
