"""Revocation (RFC 7009)."""

from __future__ import annotations

from django.http import HttpResponse

from . import clients, grants, parameters
from .endpoint import NO_STORE, Call, machine_endpoint
from .errors import invalid_request


@machine_endpoint("revoke", "revocations", "POST")
def revoke(call: Call) -> HttpResponse:
    """200 whether or not the token was known (s2.2); the hint is not needed."""
    form = parameters.form(call.request)
    client = clients.authenticate(call.request, form, call.knobs.auth_methods)
    if "token" not in form:
        raise invalid_request("token is missing")
    grants.revoke_token(form["token"], client, call.now)
    return HttpResponse(headers=NO_STORE)
