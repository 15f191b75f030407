"""The token endpoint: codes and refresh tokens for access tokens (RFC 6749 s4.1.3, s5, s6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from . import clients, faults, grants, id_tokens, parameters, signing
from .counters import count
from .endpoint import Call, machine_endpoint
from .errors import OAuthError, invalid_request
from .grants import Issued


def _kind(request: HttpRequest) -> str:
    """Which fault applies: `refresh` for refreshes, `token` for the rest."""
    try:
        grant_type = parameters.form(request).get("grant_type")
    except OAuthError:
        return "token"
    return "refresh" if grant_type == "refresh_token" else "token"


@machine_endpoint(_kind, "token_requests", "POST")
def token(call: Call) -> HttpResponse:
    form = parameters.form(call.request)
    if call.endpoint == "refresh":
        count("refresh_requests")
    elif form.get("grant_type") == "authorization_code":
        count("code_requests")
    client = clients.authenticate(call.request, form, call.knobs.auth_methods)
    match form.get("grant_type"):
        case "authorization_code":
            issued = grants.redeem(
                _required(form, "code"),
                client,
                redirect_uri=_required(form, "redirect_uri"),
                verifier=_required(form, "code_verifier"),
                knobs=call.knobs,
                now=call.now,
            )
        case "refresh_token":
            issued = grants.refresh(
                _required(form, "refresh_token"),
                client,
                scope=form.get("scope", ""),
                knobs=call.knobs,
                now=call.now,
            )
        case None:
            raise invalid_request("grant_type is missing")
        case _:
            raise OAuthError("unsupported_grant_type", "only authorization_code and refresh_token are served")
    return _answer(call, issued)


def _answer(call: Call, issued: Issued) -> HttpResponse:
    """RFC 6749 s5.1, OpenID Connect Core s3.1.3.3; nested where the knob says so."""
    document: dict[str, Any] = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.lifetime_seconds,
        "scope": ("," if call.knobs.comma_scopes else " ").join(issued.scopes),
    }
    if issued.refresh_token is not None:
        document["refresh_token"] = issued.refresh_token
    if "openid" in issued.scopes:
        claims = faults.merged(id_tokens.claims(issued, call.now), call.fault.id_token)
        document["id_token"] = signing.sign(claims, call.knobs.alg, call.fault.signature)
    if call.knobs.nested_answer:
        document = {"ok": True, call.knobs.nested_answer: document}
    return call.answer(document)


def _required(form: Mapping[str, str], name: str) -> str:
    if name not in form:
        raise invalid_request(f"{name} is missing")
    return form[name]
